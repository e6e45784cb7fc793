// The fields of one CSV record, strictly by RFC 4180: what it does not allow is a Fault and never a guess. Pure.
//
//   a,"b ""c"", d",,"e\nf"        fields: a | b "c", d | (empty) | e\nf
//
// Allowed beyond the RFC: a line end of LF alone, any one-byte delimiter. Not allowed: a quote within an unquoted
// field, anything but a delimiter behind a closing quote, a quote that is not closed, CR without LF outside quotes.
// Not here: where a record ends (record_splitter.h), which columns there are (csv_columns.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/tasks/fault.h"

namespace cairn::tasks {

inline constexpr size_t kMaxFields = 65536;  // of one record

class CsvRecord {
 public:
  // Cuts the record, with or without its line end, which outlives what field() returns.
  std::optional<Fault> parse(std::string_view record, char delimiter);

  size_t size() const { return fields_.size(); }
  bool blank() const { return bytes_.empty(); }  // nothing but a line end: no record, as pandas and sqlite3 see it
  // The field's text without quotes. Valid until the next call of field() or parse().
  std::string_view field(size_t i);
  uint64_t offset_of(size_t i) const { return fields_[i].begin; }  // of its text in the record, for faults

 private:
  struct Field {
    uint32_t begin, end;  // of the text, without the enclosing quotes
    bool doubled;         // has "" in it
  };
  std::optional<Fault> parse_quoted(size_t& at, char delimiter);
  std::optional<Fault> parse_plain(size_t& at, char delimiter);

  std::string_view bytes_;  // without the line end
  std::vector<Field> fields_;
  std::string unescaped_;
};

// The first record of a file whose first bytes these are, with its line end; nullopt if it does not end in them. The
// whole of a file counts as ended. What InputFile::head wants.
std::optional<std::string_view> first_csv_record(std::string_view bytes, bool whole_file);

}  // namespace cairn::tasks
