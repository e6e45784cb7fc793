#include "client/sequential_detector.h"

#include <algorithm>

namespace cairn {

namespace {
constexpr uint64_t kFirstWindow = 1 << 20;
// Several workers answer one reader's requests, so they may arrive a little out of order.
constexpr uint64_t kTolerance = 512 << 10;
}  // namespace

SequentialDetector::Advice SequentialDetector::on_read(uint64_t offset, uint64_t length, uint64_t size,
                                                       uint64_t max_window) {
  ++turn_;
  const uint64_t end = offset + length;
  Reader* reader = nullptr;
  for (Reader& r : readers_) {
    if (r.used == 0 || offset > r.expected + kTolerance || offset + kTolerance < r.expected) continue;
    if (end == r.expected) continue;  // the same bytes again
    reader = &r;
    break;
  }
  if (reader == nullptr) {
    Reader& oldest = *std::min_element(readers_.begin(), readers_.end(),
                                       [](const Reader& a, const Reader& b) { return a.used < b.used; });
    oldest = {end, end, 0, turn_};
    return {};
  }
  reader->used = turn_;
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

}  // namespace cairn
