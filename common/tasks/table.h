// What a job gives back: named columns and rows, as CSV or as JSON lines. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace cairn::tasks {

// Nothing (a missing value), a count, a figure, or UTF-8 text.
using Value = std::variant<std::monostate, uint64_t, double, std::string>;

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;  // each as long as columns
  bool raw = false;                      // one text, which to_csv() gives as it is: what programs wrote
};

// RFC 4180 with a header, lines ending in LF. A double is the shortest text that reads back as the same double; NaN and
// a missing value are empty fields, an empty text is "". pandas.read_csv(..., float_precision="round_trip") reads
// every figure as it was; its default parser may differ in the last digit.
std::string to_csv(const Table& table);
// One object for each row (https://jsonlines.org). Numbers as above; what is missing or not finite is null.
std::string to_json_lines(const Table& table);
std::string text_of(const Table& table, bool json_lines);  // one of the two

}  // namespace cairn::tasks
