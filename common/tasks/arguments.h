// Reads the values of an operator's arguments: what is wrong is told with the option's name. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tasks/job.h"

namespace cairn::tasks {

// All errors are invalid. Absent arguments give the value that is passed last.
bool flag_of(const Arguments& arguments, const std::string& name);
std::string text_of(const Arguments& arguments, const std::string& name, const std::string& absent);
Result<uint64_t> count_of(const Arguments& arguments, const std::string& name, uint64_t low, uint64_t high,
                          uint64_t absent);
// "64K", "1M": a size in bytes.
Result<uint64_t> size_of(const Arguments& arguments, const std::string& name, const std::string& absent, uint64_t least,
                         uint64_t most);
// "0.5,0.9": numbers with the separator between; at most 1000.
Result<std::vector<double>> numbers_of(const Arguments& arguments, const std::string& name, char separator);
// "," or ";" or "tab": one ASCII character that is no quote, letter, digit or line end.
Result<char> delimiter_of(const Arguments& arguments);

}  // namespace cairn::tasks
