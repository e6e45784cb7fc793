// When a session is renewed, and until when what it cached may be trusted. Decides; calls nobody.
//
//   |<----------------------- ttl ----------------------->|      counted from when the renewal was asked for
//   asked      renew_at (ttl/4)          trust_until (7/8)
//
// Trust ends before the TTL does, so that caches are dropped while nobody else can have been let in.
#pragma once

#include "common/base/clock.h"
#include "common/probes/planted_bug.h"

namespace cairn {

class SessionCore {
 public:
  SessionCore(Duration ttl, Instant asked_at) { on_renewed(asked_at, ttl); }
  void on_renewed(Instant asked_at, Duration ttl);
  void on_renewal_failed(Instant now);  // it is tried again soon

  Instant renew_at() const { return renew_at_; }
  Instant trust_until() const { return trust_until_; }
  bool trusted(Instant now) const { return now < trust_until_ || planted(PlantedBug::trust_for_ever); }
  bool certainly_over(Instant now) const { return now >= asked_at_ + ttl_; }
  Duration ttl() const { return ttl_; }

 private:
  Duration ttl_{};
  Instant asked_at_;  // the last renewal that was answered
  Instant renew_at_;
  Instant trust_until_;
};

}  // namespace cairn
