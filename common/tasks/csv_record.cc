#include "common/tasks/csv_record.h"

namespace cairn::tasks {
namespace {

constexpr size_t kNone = std::string_view::npos;

std::string_view without_line_end(std::string_view record) {
  if (!record.ends_with('\n')) return record;
  record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

}  // namespace

std::optional<Fault> CsvRecord::parse(std::string_view record, char delimiter) {
  bytes_ = without_line_end(record);
  fields_.clear();
  size_t at = 0;
  while (true) {
    if (fields_.size() == kMaxFields) return Fault{at, "the record has more than 65536 fields"};
    const bool quoted = at < bytes_.size() && bytes_[at] == '"';
    if (auto fault = quoted ? parse_quoted(at, delimiter) : parse_plain(at, delimiter)) return fault;
    if (at == bytes_.size()) return std::nullopt;
    ++at;  // the delimiter
  }
}

std::optional<Fault> CsvRecord::parse_quoted(size_t& at, char delimiter) {
  const size_t opened = at;
  bool doubled = false;
  for (size_t quote = at + 1;; quote += 2) {
    quote = bytes_.find('"', quote);
    if (quote == kNone) return Fault{opened, "the quote that opens here is not closed"};
    if (quote + 1 < bytes_.size() && bytes_[quote + 1] == '"') {
      doubled = true;
      continue;
    }
    fields_.push_back({static_cast<uint32_t>(opened + 1), static_cast<uint32_t>(quote), doubled});
    at = quote + 1;
    if (at == bytes_.size() || bytes_[at] == delimiter) return std::nullopt;
    return Fault{at, "behind a closing quote only a delimiter or the end of the record may follow"};
  }
}

std::optional<Fault> CsvRecord::parse_plain(size_t& at, char delimiter) {
  const size_t begin = at;
  for (; at < bytes_.size() && bytes_[at] != delimiter; ++at) {
    if (bytes_[at] == '"') return Fault{at, "a quote within a field that does not begin with one"};
    if (bytes_[at] == '\r') return Fault{at, "a carriage return without a line feed"};
  }
  fields_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(at), false});
  return std::nullopt;
}

std::string_view CsvRecord::field(size_t i) {
  const Field& field = fields_[i];
  const std::string_view text = bytes_.substr(field.begin, field.end - field.begin);
  if (!field.doubled) return text;
  unescaped_.clear();
  for (size_t at = 0; at < text.size(); ++at) {
    unescaped_ += text[at];
    if (text[at] == '"') ++at;
  }
  return unescaped_;
}

std::optional<std::string_view> first_csv_record(std::string_view bytes, bool whole_file) {
  bool inside = false;
  for (size_t at = 0; (at = bytes.find_first_of("\"\n", at)) != kNone; ++at) {
    if (bytes[at] == '"') {
      inside = !inside;
    } else if (!inside) {
      return bytes.substr(0, at + 1);
    }
  }
  return whole_file ? std::optional(bytes) : std::nullopt;
}

}  // namespace cairn::tasks
