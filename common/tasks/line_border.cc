#include "common/tasks/line_border.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn::tasks {
namespace {

constexpr uint64_t kFirstLook = 4096;  // most lines are shorter
constexpr uint64_t kLaterLooks = 256u << 10;

}  // namespace

Result<uint64_t> line_at_or_behind(const InputFile& file, uint64_t at, const PieceOfFile& piece) {
  if (at == 0) return 0;
  uint64_t from = at - 1, look = kFirstLook;  // a \n there: a line begins at `at`
  while (from < file.size) {
    if (from > at && from - at > kMaxRecordBytes)
      return {Errc::invalid,
              fmt::format("{}: offset {}: a line is longer than {} bytes", file.name, at, kMaxRecordBytes)};
    ASSIGN(const std::string_view bytes, piece(from, std::min(file.size, from + look)));
    if (bytes.empty()) break;  // the mapping will say so
    const size_t found = bytes.find('\n');
    if (found != std::string_view::npos) return from + found + 1;
    from += bytes.size();
    look = kLaterLooks;
  }
  return file.size;
}

Result<Split> of_whole_lines(Split split, const InputFile& file, const PieceOfFile& piece) {
  ASSIGN(split.begin, line_at_or_behind(file, split.begin, piece));
  if (split.begin >= split.end) return Split{split.file, split.begin, split.begin};
  ASSIGN(split.end, line_at_or_behind(file, split.end, piece));
  return split;
}

}  // namespace cairn::tasks
