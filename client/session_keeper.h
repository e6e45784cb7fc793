// Keeps the session alive, hears its events, and knows whether caches may be trusted.
//
// Two threads: one renews, one long-polls events on a connection of its own. A recall is answered in the order: trust
// ends, caches are dropped, everything dirty is flushed, the kernel's caches are dropped, and only then the next poll
// acknowledges it. A session that the metaserver no longer knows is dead for good: what was dirty is lost and every
// call says so. Any thread. The mutex is not held in callbacks and calls.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "client/session_core.h"
#include "client/statistics.h"
#include "common/base/thread.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class SessionKeeper {
 public:
  // Called from the keeper's threads, but for died.
  struct Hooks {
    std::function<void()> drop_caches;  // names, attributes, layouts
    std::function<void()> flush_all;    // best effort
    std::function<void()> drop_kernel_caches;
    std::function<void()> map_changed;
    std::function<void(const LockNotice&)> lock_ended;
    std::function<void(uint64_t)> restarted;  // the metaserver, and this is its run
    std::function<void(const Error&)> died;   // wake everybody who waits; from whichever thread noticed
  };
  SessionKeeper(MetaClient& meta, Clock& clock, Statistics& statistics, const SessionGrant& grant, Instant asked_at,
                Hooks hooks);
  ~SessionKeeper() { stop(); }
  void start();
  // From here on nothing that calls say ends the session, because its owner does. stop() then joins the threads.
  void begin_stop();
  void stop();

  // Whether this is the only mount and its session is certainly alive: what is cached is true.
  bool trusted() const;
  // Changes whenever trust ended or began. An answer is cached only if trusted() and the epoch is as when it was asked
  // for.
  uint64_t trust_epoch() const { return trust_epoch_.load(std::memory_order_acquire); }
  Duration trusted_for() const;
  // An error once the session is dead.
  Status alive() const;
  // Passes an error of any call through, and notices the session's end in it.
  void note(const Error& error);

 private:
  void renew_loop();
  void renew_until_end();
  void event_loop();
  void handle(const Event& event);
  void end_sole(uint64_t lease_generation);
  void ask_to_be_sole();
  bool wait_until(Instant until);  // false when stopping

  MetaClient& meta_;
  Clock& clock_;
  Statistics& statistics_;
  const Hooks hooks_;
  mutable Mutex mutex_;
  CondVar changed_;
  SessionCore core_;  // guarded by mutex_, as what follows
  bool stopping_ = false;
  bool lapsed_ = false;  // trust ended by time; the kernel was told
  uint64_t recalled_generation_ = 0;
  Error death_{Errc::no_session, ""};
  std::atomic<bool> sole_;
  std::atomic<bool> dead_ = false;
  std::atomic<int64_t> trust_until_ns_;
  std::atomic<uint64_t> trust_epoch_ = 1;
  Thread renewer_;
  Thread listener_;
};

}  // namespace cairn
