// Until when something must have died for its quarantine to be over now.
//
// Deaths are stamped with the log's time, which is a wall clock that may jump. So the wait is measured on the monotonic
// clock: what counts is the log's time as it was read a quarantine ago in this run. After a restart everything waits
// its whole time again: that costs a minute, and never removes what a layout may still name. Pure; one thread.
#pragma once

#include <deque>
#include <optional>

#include "common/base/clock.h"

namespace cairn {

class Quarantine {
 public:
  explicit Quarantine(Duration length) : length_(length) {}
  // The log's time (of the last applied command) as it is now. About once a second; more often costs memory.
  void observe(Instant now, int64_t log_ns) {
    samples_.push_back({now, log_ns});
    while (samples_.size() > 1 && samples_[1].at + length_ <= now) samples_.pop_front();
  }
  // Everything that died at or before this time has been dead for the whole quarantine; nothing if none can have been.
  // What was applied after the sample has a later time, also when the clock went back (commit_batcher.h).
  std::optional<int64_t> died_until(Instant now) const {
    if (samples_.empty() || samples_.front().at + length_ > now) return std::nullopt;
    return samples_.front().log_ns;
  }

 private:
  struct Sample {
    Instant at;
    int64_t log_ns;
  };
  Duration length_;
  std::deque<Sample> samples_;  // ascending
};

}  // namespace cairn
