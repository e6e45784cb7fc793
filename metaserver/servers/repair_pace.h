// How fast repair may go, and how fast it goes. Pure: the time comes as an argument; the caller serialises.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "common/base/clock.h"

namespace cairn {

// Bytes per second that may be spent; up to a second's worth that was not spent is kept for later.
class ByteBudget {
 public:
  explicit ByteBudget(uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}  // 0: no bound
  // When the work on so many bytes may begin; they count as spent.
  Instant take(uint64_t bytes, Instant now) {
    if (bytes_per_second_ == 0) return now;
    const Instant begin = std::max(paid_until_, now - 1s);
    const double seconds = static_cast<double>(bytes) / static_cast<double>(bytes_per_second_);
    paid_until_ = begin + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    return std::max(begin, now);
  }

 private:
  const uint64_t bytes_per_second_;
  Instant paid_until_{INT64_MIN / 2};
};

// Bytes per second over the last while.
class RateMeter {
 public:
  void add(uint64_t bytes, Instant now) {
    forget(now);
    if (samples_.empty()) since_ = now;
    samples_.push_back({now, bytes});
    sum_ += bytes;
  }
  uint64_t bytes_per_second(Instant now) {
    forget(now);
    if (samples_.empty()) return 0;
    const Duration time = std::clamp(now - since_, Duration(1s), kWindow);
    return static_cast<uint64_t>(static_cast<double>(sum_) / std::chrono::duration<double>(time).count());
  }

 private:
  static constexpr Duration kWindow = 20s;
  struct Sample {
    Instant at;
    uint64_t bytes;
  };
  void forget(Instant now) {
    for (; !samples_.empty() && samples_.front().at + kWindow < now; samples_.pop_front())
      sum_ -= samples_.front().bytes;
  }

  std::deque<Sample> samples_;
  uint64_t sum_ = 0;
  Instant since_{};  // the first sample after a pause
};

}  // namespace cairn
