#include "common/meta/lock_ranges.h"

#include <algorithm>

namespace cairn {

void LockRanges::set(const LockRange& range, LockMode mode, uint64_t token) {
  // What the range covers goes; what sticks out at either side stays.
  auto at = segments_.upper_bound(range.first);
  if (at != segments_.begin() && std::prev(at)->second.last >= range.first) --at;
  while (at != segments_.end() && at->first <= range.last) {
    const uint64_t first = at->first;
    const Rest old = at->second;
    at = segments_.erase(at);
    if (first < range.first) segments_.emplace(first, Rest{range.first - 1, old.mode, old.token});
    if (old.last > range.last) at = segments_.emplace(range.last + 1, old).first;
  }
  if (mode == LockMode::none) return;
  LockRange whole = range;
  auto next = segments_.lower_bound(range.first);
  if (next != segments_.begin()) {
    const auto before = std::prev(next);
    if (before->second.mode == mode && before->second.last + 1 == range.first) {
      whole.first = before->first;
      segments_.erase(before);
    }
  }
  if (next != segments_.end() && next->second.mode == mode && next->first == range.last + 1) {
    whole.last = next->second.last;
    segments_.erase(next);
  }
  segments_[whole.first] = {whole.last, mode, token};
}

std::optional<LockRanges::Segment> LockRanges::conflict(const LockRange& range, LockMode mode) const {
  auto at = segments_.upper_bound(range.first);
  if (at != segments_.begin() && std::prev(at)->second.last >= range.first) --at;
  for (; at != segments_.end() && at->first <= range.last; ++at) {
    if (locks_conflict(mode, at->second.mode))
      return Segment{{at->first, at->second.last}, at->second.mode, at->second.token};
  }
  return std::nullopt;
}

uint64_t LockRanges::newest(const LockRange& range) const {
  uint64_t newest = 0;
  auto at = segments_.upper_bound(range.first);
  if (at != segments_.begin() && std::prev(at)->second.last >= range.first) --at;
  for (; at != segments_.end() && at->first <= range.last; ++at) newest = std::max(newest, at->second.token);
  return newest;
}

std::optional<uint64_t> LockRanges::covers(const LockRange& range, LockMode mode) const {
  const auto behind = segments_.upper_bound(range.first);
  if (behind == segments_.begin()) return std::nullopt;
  // Segments of one mode that touch are one, so one segment covers the range or none does.
  const Rest& rest = std::prev(behind)->second;
  if (rest.mode != mode || rest.last < range.last) return std::nullopt;
  return rest.token;
}

}  // namespace cairn
