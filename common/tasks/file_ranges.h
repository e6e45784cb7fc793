// Which ranges of which files have been mapped, and what is known at their edges; neighbours become one.
//
//   file   0........100   100.....180           300...400          add(180 .. 300) leaves one range, 0 .. 400
//          [  Edge    ]...[  Edge   ]           [ Edge  ]
//
// This is what makes a partial exact: ranges that overlap are refused (a task that is merged twice is noticed), and a
// result is only given when each file is one range. Memory: about 100 bytes for each range with a gap before it.
//
// Edge is a value with encode(ByteWriter&) const and static optional<Edge> decode(ByteReader&, where).
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/tasks/job.h"

namespace cairn::tasks {

// Where an edge lies, for its decoder to check itself against.
struct RangeAt {
  uint32_t file;
  uint64_t begin, end;
  bool starts_file, ends_file;
};

template <typename Edge>
class FileRanges {
 public:
  explicit FileRanges(const std::vector<InputFile>& files) : files_(files) {}

  // Join: Status(const RangeAt& right, Edge& left, Edge& right_edge) makes left the edge of both ranges together; it is
  // called where two ranges meet, once or twice. Requires begin < end <= the file's size.
  template <typename Join>
  Status add(uint32_t file, uint64_t begin, uint64_t end, Edge edge, Join&& join) {
    auto next = ranges_.lower_bound({file, begin});
    auto previous = next == ranges_.begin() ? ranges_.end() : std::prev(next);
    const bool has_previous = previous != ranges_.end() && previous->first.first == file;
    const bool has_next = next != ranges_.end() && next->first.first == file;
    if ((has_previous && previous->second.end > begin) || (has_next && next->first.second < end))
      return {Errc::invalid, fmt::format("{}: bytes {} .. {} were mapped twice", files_[file].name, begin, end)};
    if (has_previous && previous->second.end == begin) {
      TRY(join(at(file, begin, end), previous->second.edge, edge));
      previous->second.end = end;
    } else {
      previous = ranges_.emplace_hint(next, Key{file, begin}, Range{end, std::move(edge)});
    }
    if (has_next && next->first.second == end) {
      TRY(join(at(file, end, next->second.end), previous->second.edge, next->second.edge));
      previous->second.end = next->second.end;
      ranges_.erase(next);
    }
    return {};
  }
  template <typename Join>
  Status merge(FileRanges& other, Join&& join) {
    for (auto& [key, range] : other.ranges_) TRY(add(key.first, key.second, range.end, std::move(range.edge), join));
    other.ranges_.clear();
    return {};
  }
  // The edge of a file that is covered from end to end; null for an empty file, which nothing covers.
  Result<const Edge*> whole(uint32_t file) const {
    uint64_t covered = 0;
    const auto found = ranges_.lower_bound({file, 0});
    const bool some = found != ranges_.end() && found->first.first == file;
    if (some && found->first.second == 0) covered = found->second.end;
    if (covered != files_[file].size)
      return {Errc::invalid, fmt::format("{}: the bytes from {} on were not mapped", files_[file].name, covered)};
    return some ? &found->second.edge : nullptr;
  }

  void encode(ByteWriter& out) const {
    out.u32(static_cast<uint32_t>(ranges_.size()));
    for (const auto& [key, range] : ranges_) {
      out.u32(key.first).u64(key.second).u64(range.end);
      range.edge.encode(out);
    }
  }
  // False unless ranges ascend, leave gaps, lie in their files, and Edge::decode agrees.
  bool decode(ByteReader& in) {
    constexpr size_t kKeyBytes = 20;
    for (uint32_t count = in.count(kKeyBytes); count > 0; --count) {
      const uint32_t file = in.u32();
      const uint64_t begin = in.u64(), end = in.u64();
      if (!in.ok() || file >= files_.size() || begin >= end || end > files_[file].size) return false;
      if (!ranges_.empty()) {
        const auto& [key, range] = *ranges_.rbegin();
        if (file < key.first || (file == key.first && begin <= range.end)) return false;
      }
      std::optional<Edge> edge = Edge::decode(in, at(file, begin, end));
      if (!edge) return false;
      ranges_.emplace_hint(ranges_.end(), Key{file, begin}, Range{end, *std::move(edge)});
    }
    return in.ok();
  }

 private:
  using Key = std::pair<uint32_t, uint64_t>;  // file, begin
  struct Range {
    uint64_t end;
    Edge edge;
  };
  RangeAt at(uint32_t file, uint64_t begin, uint64_t end) const {
    return {file, begin, end, begin == 0, end == files_[file].size};
  }

  const std::vector<InputFile>& files_;
  std::map<Key, Range> ranges_;  // of one file: disjoint, with gaps between
};

}  // namespace cairn::tasks
