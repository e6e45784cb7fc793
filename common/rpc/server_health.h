// How gladly a reader turns to a chunkserver: from its recent failures, its latency and the calls under way to it.
//
//   >= 1000   it failed within the last 2 s; each time that it fails again right after, for twice as long, up to 32 s
//   < 1000    up to 500 for an older failure, halved each second, and up to 499 for latency and load
//
// Pure: events and the time are arguments. Its owner's mutex guards it. A hint, never a judgement: who is down is
// decided by the metaserver (metaserver/servers/membership.h).
#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace cairn {

class ServerHealth {
 public:
  void on_start() { ++under_way_; }
  void on_answer(Duration latency);
  // The caller no longer waits: it has what it needs from elsewhere. A slow server is remembered as at least that slow.
  void on_abandon(Duration waited);
  void on_failure(Instant now);  // no connection, a broken one, or no answer in time; also ends a call that was started
  void on_no_connection(Instant now);

  uint32_t reluctance(Instant now) const;
  Duration usual_latency() const;  // zero before the first answer

 private:
  Duration held_against_it() const;
  void took(Duration time);
  void end_call() {
    if (under_way_ > 0) --under_way_;
  }

  uint32_t under_way_ = 0;
  int64_t average_us_ = 0;        // moving average over about 8 calls
  Instant failed_at_{INT64_MIN};  // the last failure; INT64_MIN: none yet
  uint32_t relapses_ = 0;         // failures that followed an earlier one without an answer in between
};

}  // namespace cairn
