// The sessions of mounts and tools as they live: opened and ended by logged commands, renewed in memory, told of
// events.
//
// Admission stands before the log: a second mount's open_session is answered only when nobody else may cache the tree.
// From then on there are leases of single inodes (leases.h), whose recalls are queued here. The decisions are
// session_table.h, tree_lease.h and event_queue.h; here are the mutex and the waiting. Any thread. The mutex is never
// held while a command is proposed.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/base/thread.h"
#include "common/meta/admin.h"
#include "common/meta/requests.h"
#include "metaserver/log/committer.h"
#include "metaserver/sessions/event_queue.h"
#include "metaserver/sessions/leases.h"
#include "metaserver/sessions/session_table.h"
#include "metaserver/sessions/tree_lease.h"

namespace cairn {

class Sessions {
 public:
  struct Options {
    Duration ttl = 20s;
    Duration longest_poll = 30s;
    Incarnation incarnation{};
    uint64_t first_sequence = 1;                 // of events and leases: above those of earlier runs
    uint32_t most = 4096;                        // sessions at once
    std::function<void(SessionId)> on_end = {};  // it is forgotten: gives back what it held in memory
  };
  Sessions(Clock& clock, Committer& committer, const OrderedStore& store, Options options);

  // Reads the logged sessions back; each has a full TTL from now.
  Result<std::vector<SessionId>> restore();  // returns the mounts among them
  uint64_t run() const { return options_.first_sequence; }

  // Waits until no other mount may cache. The same nonce gives the same session. busy: too many are open.
  Result<SessionGrant> open(const SessionRequest& request);
  Result<Duration> renew(SessionId session);
  Status close(const Mutation& mutation);  // ok also if it has ended before
  // Acknowledges events up to a sequence, then waits for others for at most `wait` (bounded); may return none.
  Result<EventPage> events(SessionId session, uint64_t acknowledged, Duration wait);
  // The lease of the tree, for the only mount.
  Result<std::optional<Lease>> acquire_tree(SessionId session);
  // After a restart: whether the mount was the sole one.
  Status reclaim_tree(SessionId session, bool sole);
  Status release_tree(SessionId session);
  void deliver(const std::vector<Leases::Recall>& recalls);  // of single inodes

  // How a session stands to the others. no_session, unless it is alive; session 0 is a tool that only looks.
  enum class Standing : uint8_t {
    outside,  // not a mount: it keeps nothing
    sole,     // it holds the tree: nobody else keeps anything
    shared,
  };
  Result<Standing> standing(SessionId session) const;
  Status check(SessionId session) const;
  // The same for a change. If it is `sole`, end_sole_change() must follow: until then no other mount is let in, since
  // nobody would be told of the change.
  Result<Standing> begin_change(SessionId session);
  void end_sole_change();

  void tick();         // about once a second: ends sessions that were silent for their TTL
  void map_changed();  // tells every mount
  void lock_ended(SessionId session, const LockNotice& notice);  // nothing if the session has ended
  size_t unheard_locks(SessionId session) const;                 // such notices that it has not acknowledged
  std::vector<SessionStatus> list() const;                       // without open_chunks
  void stop();                                                   // everyone who waits returns unavailable

 private:
  struct Mailbox {
    explicit Mailbox(uint64_t first_sequence) : queue(first_sequence) {}
    EventQueue queue;
    CondVar arrived;
    uint64_t polls = 0;  // of the newest poll: an older one, of a broken connection, gives way
  };
  void push(SessionId session, const Lease& recall);  // mutex_ held
  Result<Standing> standing_locked(SessionId session) const;
  void forget(SessionId session);
  Result<SessionId> log_opening(const SessionRequest& request);
  Mailbox& mailbox(SessionId session);  // mutex_ held

  Clock& clock_;
  Committer& committer_;
  const OrderedStore& store_;
  const Options options_;
  LogLimit expiries_;    // lines of the log
  mutable Mutex mutex_;  // guards what follows
  SessionTable table_;
  TreeLease lease_;
  std::map<SessionId, std::shared_ptr<Mailbox>> mailboxes_;
  uint32_t opening_ = 0;  // their commands are under way
  uint32_t sole_changes_ = 0;
  CondVar admission_;  // a mount may be admitted now
  bool stopping_ = false;
};

}  // namespace cairn
