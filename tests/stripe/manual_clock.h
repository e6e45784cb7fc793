// A clock that moves only when told to. Any thread.
#pragma once

#include <atomic>

#include "common/base/clock.h"

namespace cairn {

class ManualClock : public Clock {
 public:
  Instant now() const override { return {now_ns_.load()}; }
  int64_t wall_ns() const override { return now_ns_.load(); }
  void advance(Duration by) { now_ns_ += by.count(); }
  void advance_to(Instant to) {
    if (to > now()) now_ns_ = to.ns;
  }

 private:
  std::atomic<int64_t> now_ns_{1'000'000'000};
};

}  // namespace cairn
