#include "common/tasks/task_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/config.h"
#include "common/tasks/csv_record.h"
#include "common/tasks/file_figures.h"

namespace cairn::tasks {
namespace {

constexpr size_t kMaxPartitionBytes = 100;

Error at_line(uint64_t line, const std::string& what) {
  return {Errc::invalid, fmt::format("the table of tasks, line {}: {}", line, what)};
}

bool is_partition(std::string_view text) {
  return text.size() <= kMaxPartitionBytes && std::ranges::all_of(text, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
         });
}

Result<uint64_t> number(std::string_view text, uint64_t most) {
  const Result<uint64_t> value = parse_size(text);
  if (value.ok() && *value <= most) return *value;
  return Error{Errc::invalid, fmt::format("\"{}\" is no whole number up to {}", text, most)};
}

Status set(TableEntry& entry, std::string_view column, std::string_view text) {
  if (column == "file") {
    entry.file = text;
  } else if (text.empty()) {  // as if the column were not there
  } else if (column == "reads") {
    ASSIGN(entry.reads, number(text, kMaxTimes));
  } else if (column == "writes") {
    ASSIGN(entry.writes, number(text, kMaxTimes));
  } else if (column == "size") {
    ASSIGN(entry.size, number(text, uint64_t{1} << 44));
  } else if (column == "partition") {
    if (!is_partition(text)) return {Errc::invalid, fmt::format("\"{}\" is no name of a partition", text)};
    entry.partition = text;
  } else {
    return {Errc::invalid, fmt::format("\"{}\" is none of file, reads, writes, size, partition", column)};
  }
  return {};
}

class Entries {
 public:
  Status add(TableEntry entry, uint64_t line) {
    if (entry.file.empty()) return at_line(line, "no file is named");
    if (!names_.insert(entry.file).second) return at_line(line, entry.file + " is named twice");
    all_.push_back(std::move(entry));
    return {};
  }
  Result<std::vector<TableEntry>> take() {
    if (all_.empty()) return Error{Errc::invalid, "the table of tasks names no file"};
    return std::move(all_);
  }

 private:
  std::vector<TableEntry> all_;
  std::set<std::string> names_;
};

Result<std::vector<TableEntry>> parse_csv(std::string_view rest) {
  Entries entries;
  std::vector<std::string> columns;
  CsvRecord record;
  for (uint64_t line = 1; !rest.empty();) {
    const std::string_view bytes = *first_csv_record(rest, true);
    rest.remove_prefix(bytes.size());
    const uint64_t here = line;
    line += static_cast<uint64_t>(std::ranges::count(bytes, '\n'));
    if (const auto fault = record.parse(bytes, ',')) return at_line(here, fault->what);
    if (record.blank()) continue;
    if (columns.empty()) {
      for (size_t i = 0; i < record.size(); ++i) columns.emplace_back(record.field(i));
      if (std::ranges::find(columns, "file") == columns.end()) return at_line(here, "there is no column \"file\"");
      continue;
    }
    if (record.size() != columns.size())
      return at_line(here, fmt::format("{} fields under {} columns", record.size(), columns.size()));
    TableEntry entry;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (const Status done = set(entry, columns[i], record.field(i)); !done.ok())
        return at_line(here, done.error().what);
    }
    TRY(entries.add(std::move(entry), here));
  }
  return entries.take();
}

Result<std::vector<TableEntry>> parse_json_lines(std::string_view rest) {
  Entries entries;
  for (uint64_t line = 1; !rest.empty(); ++line) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
    if (!object.is_object()) return at_line(line, "no JSON object");
    TableEntry entry;
    for (const auto& [name, value] : object.items()) {
      if (value.is_null()) continue;
      if (!value.is_string() && !value.is_number_unsigned())
        return at_line(line, fmt::format("\"{}\" is neither a text nor a whole number", name));
      const std::string plain = value.is_string() ? value.get<std::string>() : value.dump();
      if (const Status done = set(entry, name, plain); !done.ok()) return at_line(line, done.error().what);
    }
    TRY(entries.add(std::move(entry), line));
  }
  return entries.take();
}

}  // namespace

Result<std::vector<TableEntry>> parse_task_table(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' ? parse_json_lines(text) : parse_csv(text);
}

}  // namespace cairn::tasks
