// The clock of one simulated machine: the scheduler's time, and a wall clock that a test may set wrong.
#pragma once

#include "common/base/clock.h"
#include "tests/sim/sim_scheduler.h"

namespace cairn {

class SimClock : public Clock {
 public:
  static constexpr int64_t kStartOfWallNs = 1'767'225'600'000'000'000;  // 2026-01-01T00:00:00Z

  explicit SimClock(const SimScheduler& scheduler) : scheduler_(scheduler) {}
  Instant now() const override { return scheduler_.now(); }
  int64_t wall_ns() const override { return kStartOfWallNs + scheduler_.now().ns + offset_.count(); }
  void jump_wall(Duration by) { offset_ += by; }  // either way; the monotonic time is not touched

 private:
  const SimScheduler& scheduler_;
  Duration offset_{0};
};

}  // namespace cairn
