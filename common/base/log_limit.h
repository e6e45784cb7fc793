// Lets some lines of one kind into the log and counts the rest, so that nobody outside can fill the disk with them.
//
//   a burst of lines at once, then one each interval; the next line that is let in says how many were left out
//
// One for each place that logs what a peer can cause. Any thread; the mutex is a leaf.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/thread.h"

namespace cairn {

class LogLimit {
 public:
  explicit LogLimit(uint32_t burst = 10, Duration interval = 10s)
      : burst_(burst), interval_(interval), allowance_(burst) {}

  // The end of the line that may be written now: empty, or " (7 more like this were left out)". Nothing: leave it out.
  std::optional<std::string> admit(Instant now);

 private:
  const uint32_t burst_;
  const Duration interval_;
  Mutex mutex_;
  uint32_t allowance_;  // guarded by mutex_, as the rest: lines that may still be written
  Instant refilled_{};  // up to when allowance_ has been counted
  uint64_t left_out_ = 0;
};

}  // namespace cairn
