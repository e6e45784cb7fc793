#include "common/tasks/table.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace cairn::tasks {
namespace {

void append_csv_text(std::string& out, std::string_view text) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char byte : text) {
    if (byte == '"') out += '"';
    out += byte;
  }
  out += '"';
}

void append_csv(std::string& out, const Value& value) {
  if (const auto* count = std::get_if<uint64_t>(&value)) {
    fmt::format_to(std::back_inserter(out), "{}", *count);
  } else if (const auto* figure = std::get_if<double>(&value)) {
    if (!std::isnan(*figure)) fmt::format_to(std::back_inserter(out), "{}", *figure);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    append_csv_text(out, *text);
  }
}

nlohmann::json to_json(const Value& value) {
  if (const auto* count = std::get_if<uint64_t>(&value)) return *count;
  if (const auto* figure = std::get_if<double>(&value)) return *figure;  // not finite: the library writes null
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return nullptr;
}

}  // namespace

std::string to_csv(const Table& table) {
  if (table.raw) return std::get<std::string>(table.rows.at(0).at(0));
  std::string out;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_csv_text(out, table.columns[i]);
  }
  out += '\n';
  for (const auto& row : table.rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      append_csv(out, row[i]);
    }
    out += '\n';
  }
  return out;
}

std::string text_of(const Table& table, bool json_lines) { return json_lines ? to_json_lines(table) : to_csv(table); }

std::string to_json_lines(const Table& table) {
  std::string out;
  for (const auto& row : table.rows) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (size_t i = 0; i < row.size(); ++i) object[table.columns[i]] = to_json(row[i]);
    // Texts are UTF-8 by contract; what is not would be replaced, never thrown.
    out += object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  return out;
}

}  // namespace cairn::tasks
