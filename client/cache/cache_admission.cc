#include "client/cache/cache_admission.h"

#include <algorithm>
#include <bit>

#include "common/base/random.h"

namespace cairn {

namespace {
constexpr uint8_t kMostCounted = 15;
// So that most cells count one thing alone: a scan must not look used twice because it is long.
constexpr uint64_t kCellsOfEntry = 8;
constexpr uint64_t kLeastWidth = 8192;
constexpr uint64_t kMostWidth = 4u << 20;  // 16 MiB of counters
}  // namespace

FrequencySketch::FrequencySketch(uint64_t entries)
    : width_(std::bit_ceil(std::clamp(entries * kCellsOfEntry, kLeastWidth, kMostWidth))), counts_(kRows * width_) {}

size_t FrequencySketch::cell_of(uint64_t hash, size_t row) const {
  return row * width_ + (mix64(hash + row) & (width_ - 1));
}

void FrequencySketch::add(uint64_t hash) {
  const uint32_t now = count(hash);
  if (now < kMostCounted) {
    // Only the lowest: the others have been raised by somebody else.
    for (size_t row = 0; row < kRows; ++row) {
      uint8_t& cell = counts_[cell_of(hash, row)];
      if (cell == now) ++cell;
    }
  }
  if (++added_ < width_ / 2) return;
  added_ = 0;
  for (uint8_t& cell : counts_) cell /= 2;
}

uint32_t FrequencySketch::count(uint64_t hash) const {
  uint32_t least = kMostCounted;
  for (size_t row = 0; row < kRows; ++row) least = std::min<uint32_t>(least, counts_[cell_of(hash, row)]);
  return least;
}

bool Admission::note(uint64_t hash) {
  ++turn_;
  Recent& recent = recent_[hash % recent_.size()];
  const bool same_visit = recent.turn != 0 && recent.hash == hash && turn_ - recent.turn <= kVisit;
  if (same_visit) return false;
  recent = {hash, turn_};
  sketch_.add(hash);
  return true;
}

}  // namespace cairn
