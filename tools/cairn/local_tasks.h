// Runs an operator over plain files in this process, cut into splits over threads: the reference for what the servers
// do with cells, and the way to try an operator.
//
//   files --> splits of split_bytes --(CSV: quote survey)--> each thread maps splits into a partial --> merge --> table
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tasks/operator.h"
#include "common/tasks/program_runner.h"

namespace cairn::tools {

struct LocalOptions {
  uint64_t split_bytes = 4u << 20;  // > 0; any size gives the same result
  uint32_t threads = 1;             // > 0
  bool json_lines = false;          // instead of CSV
  tasks::ProgramRunner& programs;   // for operators that need one
};

// Files are regular ones, on any filesystem. The result goes to the sink. Errors name the file, and the offset where
// there is one: invalid arguments or bytes, not_found, io, busy when a file changed meanwhile.
Status run_locally(const std::string& op, const tasks::Arguments& arguments, const std::vector<std::string>& paths,
                   const LocalOptions& options, const tasks::TextSink& sink);

}  // namespace cairn::tools
