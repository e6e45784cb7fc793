// A table of what is to be done to which file: what somebody hands to `cairn task run read --table`.
//
//   file,reads,writes,size,partition        CSV with a header (file and at least one of reads, writes; in any order),
//   a.csv,10,0,,p0                          or JSON lines with the same names
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace cairn::tasks {

struct TableEntry {
  std::string file;
  uint64_t reads = 0, writes = 0;  // times; what is not said is 0
  std::optional<uint64_t> size;    // that is written; none: as it is
  std::string partition;           // may be empty: in none. Otherwise letters, digits, "." "_" "-"
  bool operator==(const TableEntry&) const = default;
};

// invalid, with the line: an unknown column, a number that is none, a file twice, no lines at all.
Result<std::vector<TableEntry>> parse_task_table(std::string_view text);

}  // namespace cairn::tasks
