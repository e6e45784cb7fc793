#include "common/base/clock.h"

#include <ctime>

namespace cairn {
namespace {

int64_t nanoseconds_of(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class RealClock : public Clock {
 public:
  Instant now() const override { return {nanoseconds_of(CLOCK_MONOTONIC)}; }
  int64_t wall_ns() const override { return nanoseconds_of(CLOCK_REALTIME); }
};

}  // namespace

Clock& real_clock() {
  static RealClock clock;
  return clock;
}

}  // namespace cairn
