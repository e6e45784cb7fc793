// Lines of a job's files with their places, as grep and bsearch find them: any order of finding, one order in the
// table. What is found in all is bounded; beyond that all are dropped, and the table is an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/tasks/fault.h"
#include "common/tasks/job.h"
#include "common/tasks/table.h"

namespace cairn::tasks {

class FoundLines {
 public:
  static constexpr uint64_t kMaxLines = 10'000'000;
  static constexpr uint64_t kMaxBytes = 256u << 20;  // of all texts

  // replace: bytes that are not UTF-8 become U+FFFD; else they are a fault.
  FoundLines(const std::vector<InputFile>& files, uint64_t most_lines, bool replace)
      : files_(files), most_lines_(most_lines), replace_(replace) {}

  // The line without its line end, which begins at that offset of the file.
  std::optional<Fault> add(uint32_t file, uint64_t offset, std::string_view line);
  void merge(FoundLines& other);  // which is left unusable
  void encode(ByteWriter& out) const;
  bool decode(ByteReader& in);  // into an empty one
  // file,offset,line in the order of files and offsets. too_big: there are more than are kept. Once.
  Result<Table> table();

 private:
  struct Line {
    uint32_t file;
    uint64_t offset;
    std::string text;
  };
  void keep(Line line);
  void drop();

  const std::vector<InputFile>& files_;
  const uint64_t most_lines_;
  const bool replace_;
  std::vector<Line> lines_;  // in the order of finding and merging
  uint64_t bytes_ = 0;       // of their texts
  bool too_many_ = false;
};

}  // namespace cairn::tasks
