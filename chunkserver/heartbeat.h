// Reports a data directory to the metaserver, every second or as often as it asks, and takes its id from the answer.
//
//   describe --> heartbeat --> answer --> adopt the identity --> wait the interval --> ...
//                   | no answer: 250 ms, doubled up to 2 s; refused: 10 s, and a person is told
//
// HeartbeatPlan is the pure core; Heartbeater drives it on a thread of its own. A heartbeat is one attempt: a lost one
// is followed by the next, which says the same.
#pragma once

#include <functional>
#include <optional>

#include "chunkserver/identity.h"
#include "common/base/clock.h"
#include "common/base/thread.h"
#include "common/meta/heartbeat.h"

namespace cairn {

class HeartbeatPlan {
 public:
  static constexpr Duration kShortest = 50ms, kLongest = 60s;  // of what an answer may ask for
  static constexpr Duration kFirstBackoff = 250ms, kLongestBackoff = 2s, kRefusedPause = 10s;

  // How long to wait before the next heartbeat.
  Duration on_answer(Duration interval);
  Duration on_failure(Errc code);

 private:
  Duration backoff_ = kFirstBackoff;
};

class Heartbeater {
 public:
  using Describe = std::function<Result<Heartbeat>()>;                    // an error: the disk does not say how it is
  using Send = std::function<Result<HeartbeatAnswer>(const Heartbeat&)>;  // bounded in time: stop() waits for it

  Heartbeater(Clock& clock, IdentityFile& identity, Describe describe, Send send);
  ~Heartbeater();  // stops
  void start();
  void stop();  // ends the thread; wakes it if it waits between two heartbeats
  // Whether the metaserver has answered well since the start.
  bool registered() const;
  bool wait_until_registered(Instant deadline);

 private:
  void run();
  Duration beat();                                 // one heartbeat; returns the pause
  void tell(const std::optional<Error>& problem);  // logs a change, not each repetition

  Clock& clock_;
  IdentityFile& identity_;
  const Describe describe_;
  const Send send_;
  HeartbeatPlan plan_;        // of the thread alone, as the next
  std::optional<Errc> told_;  // the problem that was logged last
  bool told_anything_ = false;
  mutable Mutex mutex_;  // guards everything below
  CondVar changed_;
  bool stopping_ = false;
  bool registered_ = false;
  Thread thread_;
};

}  // namespace cairn
