// Time, the first of the three edges (clock, disk, network): real here, simulated in tests/sim.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace cairn {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

// A moment of the monotonic clock. Never compared between machines.
struct Instant {
  int64_t ns = 0;
  static constexpr Instant never() { return {INT64_MAX}; }  // a deadline that does not come
  auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration d) const {
    return ns > INT64_MAX - d.count() ? never() : Instant{ns + d.count()};
  }
  constexpr Instant operator-(Duration d) const { return {ns - d.count()}; }
  constexpr Duration operator-(Instant other) const { return Duration{ns - other.ns}; }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual int64_t wall_ns() const = 0;  // since 1970, UTC; may jump either way
};

Clock& real_clock();

}  // namespace cairn
