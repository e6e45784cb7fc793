// What read and write have in common: how often for which file, and the figures of their tables.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/tasks/arguments.h"
#include "common/tasks/per_file.h"
#include "common/tasks/table.h"

namespace cairn::tasks {

inline constexpr uint64_t kMaxTimes = 1'000'000;  // a file is read or written

// The arguments times and partition. Immutable.
class FileOrders {
 public:
  static Result<FileOrders> of(const Job& job);  // invalid
  uint64_t times(uint32_t file) const { return times_.empty() ? 1 : times_.number(file); }
  Value partition(uint32_t file) const { return partitions_.empty() ? Value() : Value(partitions_.text(file)); }

 private:
  PerFile times_, partitions_;
};

struct FileFigures {
  uint64_t times = 0;   // that were without an error
  uint64_t bytes = 0;   // of those
  Duration took{};      // of all
  uint64_t errors = 0;  // times that failed

  void add(const FileFigures& other);  // all but times
  void encode(ByteWriter& out) const;
  static std::optional<FileFigures> decode(ByteReader& in);
};

// Of one time: what is wrong with the file is counted; whatever else fails, the task does, and is tried elsewhere.
Status counted(const Status& status, FileFigures& figures);

std::vector<std::string> figure_columns();
std::vector<Value> figure_row(const InputFile& file, Value partition, uint64_t reads, uint64_t writes,
                              const FileFigures& figures);
// Adds the figures of one such row to those of another, whatever stands in front of them. Requires both to be whole.
void add_figures(std::vector<Value>& sum, const std::vector<Value>& row);

}  // namespace cairn::tasks
