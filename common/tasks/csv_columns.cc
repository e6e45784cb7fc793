#include "common/tasks/csv_columns.h"

#include <fmt/format.h>

namespace cairn::tasks {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr size_t kMostListed = 40;

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < kMostListed; ++i) out += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMostListed) out += fmt::format(" and {} more", names.size() - kMostListed);
  return out;
}

Result<std::vector<std::string>> header_of(const InputFile& file, char delimiter) {
  std::string_view head = file.head;
  const size_t skipped = head.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  head.remove_prefix(skipped);
  CsvRecord record;
  if (const auto fault = record.parse(head, delimiter))
    return {Errc::invalid,
            fmt::format("{}: offset {}: in the header: {}", file.name, skipped + fault->offset, fault->what)};
  if (record.blank()) return {Errc::invalid, file.name + ": the first line must name the columns, but is empty"};
  std::vector<std::string> names;
  for (size_t i = 0; i < record.size(); ++i) names.emplace_back(record.field(i));
  return names;
}

}  // namespace

Result<CsvColumns> CsvColumns::find(const std::vector<InputFile>& files, char delimiter,
                                    const std::vector<std::string>& names) {
  CsvColumns out;
  out.delimiter_ = delimiter;
  for (const InputFile& file : files) {
    ASSIGN(const std::vector<std::string> header, header_of(file, delimiter));
    OneFile& one = out.files_.emplace_back();
    one.header_bytes = file.head.size();
    one.width = header.size();
    for (const std::string& name : names) {
      const auto found = std::find(header.begin(), header.end(), name);
      if (found == header.end())
        return {Errc::invalid,
                fmt::format("{} has no column \"{}\"; its columns are: {}", file.name, name, list_of(header))};
      if (std::find(found + 1, header.end(), name) != header.end())
        return {Errc::invalid, fmt::format("{} has two columns \"{}\"", file.name, name)};
      one.positions.push_back(static_cast<uint32_t>(found - header.begin()));
    }
  }
  return out;
}

std::optional<Fault> CsvFields::read(const Record& record) {
  file_ = record.file;
  present_ = false;
  if (record.offset == 0) return std::nullopt;
  if (auto fault = record_.parse(record.bytes, columns_.delimiter())) return fault;
  if (record_.blank()) return std::nullopt;
  if (record_.size() != columns_.width(file_))
    return Fault{0, fmt::format("the record has {} fields, the header {}", record_.size(), columns_.width(file_))};
  present_ = true;
  return std::nullopt;
}

}  // namespace cairn::tasks
