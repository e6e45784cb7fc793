#include "client/read/sequential_detector.h"

#include <algorithm>

namespace cairn {

namespace {
constexpr uint64_t kFirstWindow = 1 << 20;
// Several workers answer one reader's requests, so they may arrive out of order by a few of their lengths.
constexpr uint64_t kMostOutOfOrder = 4;
constexpr uint64_t kMostTolerance = 512 << 10;
// Of a reader that did not begin at the file's beginning: one read beside another happens by chance, two do not.
constexpr uint32_t kContinuations = 2;
constexpr uint32_t kMostLeapsAhead = 16;
constexpr int kEqualLeaps = 3;  // that make a strider

template <typename Trackers>
auto& oldest_of(Trackers& trackers) {
  return *std::min_element(trackers.begin(), trackers.end(),
                           [](const auto& a, const auto& b) { return a.used < b.used; });
}

}  // namespace

SequentialDetector::Advice SequentialDetector::on_read(uint64_t offset, uint64_t length, uint64_t size,
                                                       uint64_t max_window) {
  if (length == 0) return {};  // behind the file's end
  ++turn_;
  const uint64_t end = offset + length;
  const uint64_t tolerance = std::min(kMostOutOfOrder * length, kMostTolerance);
  Reader* reader = nullptr;
  for (Reader& r : readers_) {
    if (r.used == 0 || offset > r.expected + tolerance || offset + tolerance < r.expected) continue;
    if (end == r.expected) continue;  // the same bytes again
    reader = &r;
    break;
  }
  if (reader == nullptr) {
    Reader& oldest = oldest_of(readers_);
    oldest = {end, end, 0, offset == 0 ? kContinuations - 1 : 0, turn_};
    return on_leap(offset, length, size, max_window);
  }
  reader->used = turn_;
  if (reader->continued < kContinuations && ++reader->continued < kContinuations) {
    reader->expected = std::max(reader->expected, end);
    return {};
  }
  if (end <= reader->expected) return {true, 0, 0};
  reader->expected = end;
  if (reader->window == 0) reader->window = std::min(kFirstWindow, max_window);
  reader->fetched_to = std::max(reader->fetched_to, end);
  const uint64_t target = std::min(size, end + reader->window);
  // Fetch in rounds of at least half a window, so that a round has several stripes.
  if (target <= reader->fetched_to || (reader->fetched_to - end > reader->window / 2)) return {true, 0, 0};
  const Advice advice{true, reader->fetched_to, target};
  reader->fetched_to = target;
  reader->window = std::min(reader->window * 2, max_window);
  return advice;
}

bool SequentialDetector::was_read(int64_t offset, uint64_t length) const {
  return std::any_of(leaps_.begin(), leaps_.end(), [&](const Read& read) {
    return read.length == length && static_cast<int64_t>(read.offset) == offset;
  });
}

int64_t SequentialDetector::stride_of(uint64_t offset, uint64_t length) const {
  for (const Read& last : leaps_) {
    const int64_t stride = static_cast<int64_t>(offset) - static_cast<int64_t>(last.offset);
    if (last.length != length || stride == 0) continue;
    int equal = 1;
    while (equal < kEqualLeaps && was_read(static_cast<int64_t>(last.offset) - equal * stride, length)) ++equal;
    if (equal == kEqualLeaps) return stride;
  }
  return 0;
}

SequentialDetector::Advice SequentialDetector::on_leap(uint64_t offset, uint64_t length, uint64_t size,
                                                       uint64_t max_window) {
  auto strider = std::find_if(striders_.begin(), striders_.end(), [&](const Strider& s) {
    return s.used != 0 && s.expected == offset && s.length == length;
  });
  if (strider == striders_.end()) {
    const int64_t stride = stride_of(offset, length);
    leaps_[next_leap_++ % leaps_.size()] = {offset, length};
    if (stride == 0) return {};
    strider = &oldest_of(striders_);
    *strider = {0, length, stride, 0, 0};
  }
  strider->used = turn_;
  strider->expected = offset + static_cast<uint64_t>(strider->stride);  // wraps where it leaves the file: never read
  if (strider->ahead > 0) --strider->ahead;
  // In rounds, as above.
  const auto most = static_cast<uint32_t>(std::clamp<uint64_t>(max_window / length, 1, kMostLeapsAhead));
  if (strider->ahead * 2 > most) return {};
  const int64_t first = static_cast<int64_t>(offset) + strider->stride * (int64_t{strider->ahead} + 1);
  uint32_t ranges = 0;
  for (int64_t at = first; ranges < most - strider->ahead; ++ranges, at += strider->stride) {
    if (at < 0 || static_cast<uint64_t>(at) + length > size) break;
  }
  if (ranges == 0) return {};
  strider->ahead += ranges;
  const auto from = static_cast<uint64_t>(first);
  return {false, from, from + length, strider->stride, ranges};
}

}  // namespace cairn
