#include "common/tasks/found_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/tasks/utf8.h"

namespace cairn::tasks {

std::optional<Fault> FoundLines::add(uint32_t file, uint64_t offset, std::string_view line) {
  const size_t bad = find_invalid_utf8(line);
  if (bad != std::string_view::npos && !replace_)
    return Fault{bad, "this line matches, but is not UTF-8 here; --replace writes U+FFFD"};
  keep({file, offset, bad == std::string_view::npos ? std::string(line) : replace_invalid_utf8(line)});
  return std::nullopt;
}

void FoundLines::merge(FoundLines& other) {
  if (other.too_many_) drop();
  for (Line& line : other.lines_) keep(std::move(line));
}

void FoundLines::encode(ByteWriter& out) const {
  out.boolean(too_many_).u32(static_cast<uint32_t>(lines_.size()));
  for (const Line& line : lines_) out.u32(line.file).u64(line.offset).string(line.text);
}

bool FoundLines::decode(ByteReader& in) {
  if (in.boolean()) drop();
  for (uint32_t left = in.count(16); left > 0; --left) {
    Line line{in.u32(), in.u64(), in.string(3 * kMaxRecordBytes)};  // a byte is replaced by three
    if (!in.ok() || line.file >= files_.size() || line.offset >= files_[line.file].size ||
        find_invalid_utf8(line.text) != std::string::npos)
      return false;
    keep(std::move(line));
  }
  return in.ok();
}

Result<Table> FoundLines::table() {
  if (too_many_)
    return {Errc::too_big, fmt::format("more than {} lines match, or {} MiB of them; --max-lines gives more",
                                       most_lines_, kMaxBytes >> 20)};
  std::sort(lines_.begin(), lines_.end(),
            [](const Line& a, const Line& b) { return std::pair(a.file, a.offset) < std::pair(b.file, b.offset); });
  Table table{{"file", "offset", "line"}, {}};
  for (Line& line : lines_) table.rows.push_back({files_[line.file].name, line.offset, std::move(line.text)});
  return table;
}

void FoundLines::keep(Line line) {
  if (too_many_) return;
  bytes_ += line.text.size();
  lines_.push_back(std::move(line));
  if (lines_.size() > most_lines_ || bytes_ > kMaxBytes) drop();
}

// The job has failed, in whatever order the rest comes.
void FoundLines::drop() {
  too_many_ = true;
  lines_ = {};
}

}  // namespace cairn::tasks
