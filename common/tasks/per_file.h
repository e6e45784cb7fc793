// Values of an operator's arguments that differ from file to file: "10*100,0,3*2" is 10 for the first hundred files, 0
// for the next, 3 for two more. A single value is that of all files. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tasks/job.h"

namespace cairn::tasks {

class PerFile {
 public:
  // All errors are invalid. Fewer values than files are one; numbers may have units (10M) and lie within low .. high.
  // Absent: no values.
  static Result<PerFile> numbers(const Job& job, const std::string& name, uint64_t low, uint64_t high);
  static Result<PerFile> texts(const Job& job, const std::string& name);

  bool empty() const { return runs_.empty(); }
  uint64_t number(uint32_t file) const { return run(file).number; }
  const std::string& text(uint32_t file) const { return run(file).text; }
  uint64_t largest() const;  // of numbers; 0 if it is empty

 private:
  struct Run {
    uint64_t end = 0;  // of the files that have it: index behind the last
    std::string text;
    uint64_t number = 0;
  };
  const Run& run(uint32_t file) const;  // requires !empty()

  std::vector<Run> runs_;
};

// The text of a list with one value for each file: runs of equal values become VALUE*COUNT.
std::string per_file_text(const std::vector<std::string>& values);

}  // namespace cairn::tasks
