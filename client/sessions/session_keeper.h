// Keeps the session alive, hears its events, and knows whether caches may be trusted.
//
//   open --renewals fail--> lapsed (nothing cached is trusted) --answered--> open
//     '---the metaserver knows it no more---> lost: what was buffered is lost, and said once ---> a new session
//
// Two threads: one renews and replaces a lost session, one long-polls events on a connection of its own. A recall of
// the tree is answered in the order: trust ends, caches are dropped, everything dirty is flushed, the kernel's caches
// are dropped, what is in use gets leases of its own, and only then the next poll acknowledges it. Any thread. The
// mutex is not held in callbacks and calls.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "client/sessions/session_core.h"
#include "client/statistics.h"
#include "common/base/thread.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class SessionKeeper {
 public:
  // Called from the keeper's threads.
  struct Hooks {
    std::function<void()> drop_caches;  // names, attributes, layouts, and the leases that they rest on
    std::function<void()> flush_all;    // best effort
    std::function<void()> drop_kernel_caches;
    std::function<void()> lease_what_is_in_use;
    std::function<void()> map_changed;
    std::function<void(const Lease&)> recalled;  // the lease of an inode
    std::function<Status(bool sole)> reclaim;    // the metaserver has restarted
    std::function<void()> wake;                  // everybody who waits: the session is lost
    std::function<void()> lost;                  // what it had buffered is given up
    std::function<SessionRequest()> request;     // of the session that replaces it
    std::function<void(const LockNotice&)> lock_ended;
  };
  SessionKeeper(MetaClient& meta, Clock& clock, Statistics& statistics, const SessionGrant& grant, Instant asked_at,
                Hooks hooks);
  ~SessionKeeper() { stop(); }
  void start();
  // From here on nothing that calls say ends the session, because its owner does. stop() then joins the threads.
  void begin_stop();
  void stop();

  // Whether the session certainly lives: what its leases say is true.
  bool certain() const;
  // The same, and this is the only mount: everything that is cached is true.
  bool trusted() const;
  bool sole() const { return sole_.load(std::memory_order_acquire); }
  // Changes whenever trust ended or began. An answer is cached only if the epoch is as when it was asked for.
  uint64_t trust_epoch() const { return trust_epoch_.load(std::memory_order_acquire); }
  Duration trusted_for() const;
  // Of the metaserver: answers of another one bring no leases.
  uint64_t run() const { return run_.load(std::memory_order_acquire); }
  // An error while the session is lost.
  Status alive() const;
  // Passes an error of any call through, and has a look at the session if it says that there is none.
  void note(const Error& error);

 private:
  void renew_loop();
  bool renew_until_lost();  // false when stopping
  bool replace();           // the same
  void lose(const Error& error);
  void event_loop();
  void lapse_loop();
  void handle(const Event& event);
  void note_run(uint64_t run);
  void end_sole(uint64_t lease_generation);
  void ask_to_be_sole();
  bool wait_until(Instant until);  // false when stopping; returns early when the session is to be looked at
  bool stopping() const;

  MetaClient& meta_;
  Clock& clock_;
  Statistics& statistics_;
  const Hooks hooks_;
  mutable Mutex mutex_;
  CondVar changed_;
  SessionCore core_;  // guarded by mutex_, as what follows
  bool stopping_ = false;
  bool suspect_ = false;      // a call said that there is no session
  bool lapsed_ = false;       // trust ended by time; the kernel is being told
  bool just_lapsed_ = false;  // for lapse_loop
  bool reclaiming_ = false;
  uint64_t recalled_generation_ = 0;
  Error death_{Errc::no_session, ""};
  std::atomic<bool> sole_;
  std::atomic<bool> dead_ = false;
  std::atomic<int64_t> trust_until_ns_;
  std::atomic<uint64_t> trust_epoch_ = 1;
  std::atomic<uint64_t> run_;
  Thread renewer_;
  Thread listener_;
  Thread lapser_;  // may wait for pages that the kernel is just filling, which wait for a renewal
};

}  // namespace cairn
