// Runs an operator over plain files in this process, cut into splits over threads: the reference for what the servers
// do with cells, and the way to try an operator.
//
//   files --> splits of split_bytes --(CSV: quote survey)--> each thread maps splits into a partial --> merge --> table
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tasks/job.h"
#include "common/tasks/program_runner.h"
#include "common/tasks/table.h"

namespace cairn::tools {

struct LocalOptions {
  uint64_t split_bytes = 4u << 20;  // > 0; any size gives the same result
  uint32_t threads = 1;             // > 0
  tasks::ProgramRunner& programs;   // for operators that need one
};

// Files are regular ones, on any filesystem. Errors name the file, and the offset where there is one: invalid arguments
// or bytes, not_found, io, busy when a file changed meanwhile.
Result<tasks::Table> run_locally(const std::string& op, const tasks::Arguments& arguments,
                                 const std::vector<std::string>& paths, const LocalOptions& options);

}  // namespace cairn::tools
