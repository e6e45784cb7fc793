// The order of records that `sort` makes and `bsearch` relies on, as keys that compare byte by byte.
//
//   lines               the line without its \n, as LC_ALL=C sort
//   a CSV column        its text; or with --numeric its number, and nothing (an empty field) before all numbers
//
// Keys say nothing of --reverse: who compares turns the order round.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/tasks/csv_columns.h"
#include "common/tasks/fault.h"
#include "common/tasks/record_splitter.h"

namespace cairn::tasks {

// Immutable, for any thread.
struct RecordOrder {
  std::optional<CsvColumns> columns;  // with the column as its only name; none: lines
  std::string column;
  bool numeric = false, reverse = false;

  // From --column, --numeric, --reverse and --delimiter. Errors are those of CsvColumns::find, or of the arguments.
  static Result<RecordOrder> of(const Job& job);
  // Negative: key a stands before key b.
  int compare(std::string_view a, std::string_view b) const {
    const int order = a.compare(b);
    return reverse ? -order : order;
  }
  // The key of a text, as the command line has it. invalid: it is no number, and should be.
  Result<std::string> key_of(const std::string& text) const;
};

// Reads the keys of records, one after the other. One thread; the order outlives it.
class RecordKeys {
 public:
  explicit RecordKeys(const RecordOrder& order);
  // A fault: the record is no CSV, or its field is no number.
  std::optional<Fault> read(const Record& record);
  bool present() const { return present_; }        // false for the header and for empty lines of CSV
  std::string_view key() const { return key_; }    // valid until the next call of read(), as long as the record is
  std::string_view text() const { return text_; }  // the record without its line end; valid as long as the record is

 private:
  const RecordOrder& order_;
  std::optional<CsvFields> fields_;
  bool present_ = false;
  std::string_view key_, text_;
  std::string number_;  // that key_ may refer to
};

// Eight bytes that compare as the numbers do. Requires a finite number; -0 is 0.
std::string number_key(double value);

}  // namespace cairn::tasks
