// Rows as bytes, from their lists of fields. Only for the files that define rows: rows.cc, job_rows.cc.
#pragma once

#include "metaserver/state/field_codec.h"
#include "metaserver/state/rows.h"

namespace cairn {

// What may not reach arithmetic or a switch, though it has the right number of bytes: overloaded where that can be.
template <typename Row>
bool usable(const Row&) {
  return true;
}

inline std::string printable(std::string_view key) {
  std::string text;
  for (const char c : key.substr(0, 64)) {
    const auto byte = static_cast<uint8_t>(c);
    text += byte > 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text;
}

template <typename Row>
std::string encode_row(const Row& row) {
  return FieldWriter().write(kRowVersion).write(row).take();
}

template <typename Row>
Result<Row> decode_row(std::string_view value) {
  FieldReader in(value);
  const auto version = in.read<uint8_t>();
  if (in.ok() && version != kRowVersion) {
    return Error{Errc::corrupt, fmt::format("metadata: a row of version {}, known is {}", version, kRowVersion)};
  }
  Row row = in.read<Row>();
  if (!in.done() || !usable(row)) return Error{Errc::corrupt, "metadata: the value of a row is damaged"};
  return row;
}

template <typename Row>
Result<std::optional<Row>> find_row(const StoreView& view, std::string_view key) {
  ASSIGN(const std::optional<std::string> value, view.get(key));
  if (!value) return std::optional<Row>();
  Result<Row> row = decode_row<Row>(*value);
  if (!row.ok()) return Error{row.code(), row.error().what + ", key " + printable(key)};
  return std::optional<Row>(std::move(*row));
}

}  // namespace cairn

// One line for each kind of row.
#define CAIRN_ROW(Row)                                    \
  template std::string encode_row<Row>(const Row&);       \
  template Result<Row> decode_row<Row>(std::string_view); \
  template Result<std::optional<Row>> find_row<Row>(const StoreView&, std::string_view)
