// Admission before the log: a call waits here until no other mount's lease contradicts what it will do.
//
//   look     admit_read(inode) --> view of the store --> answer        with a lease, if nothing stands against it
//   change   admit_change(inodes) --> log, apply --> (removal: who has it open?) --> answer
//   acquire  a write lease
//
// The state machine never waits; who waits here holds a thread of its connection and no mutex. After a restart nobody
// is admitted until every other session that the store knows has named its leases (reclaim) or has ended: [L7].
// The decisions are lease_table.h. Any thread; the mutex is a leaf, and is not held while events are queued.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/thread.h"
#include "metaserver/sessions/lease_table.h"

namespace cairn {

class Leases {
 public:
  using Recall = LeaseTable::Recall;
  struct Options {
    LeaseTable::Options table;
    Duration patience = 2s;  // until a call that waits is answered with busy, so that its client knows that we live
    std::function<void(const std::vector<Recall>&)> deliver;  // queues events; without a mutex
  };
  Leases(Clock& clock, Options options);

  // At the start: sessions that may hold leases of which we know nothing.
  void restore(const std::vector<SessionId>& sessions);
  // What a session held, and whether that was all. Returns what it holds again.
  std::vector<Lease> reclaim(SessionId session, const std::vector<Lease>& leases, bool last);

  // True: the session has a read lease with the answer, which must be taken from a view made after this. busy: also
  // when the session has too many inodes open.
  using Use = LeaseTable::Use;
  Result<bool> admit_read(SessionId session, InodeId inode, Use use);

  // The claims of one change; ended by the destructor.
  class Change {
   public:
    Change(Leases& leases, SessionId session) : leases_(&leases), session_(session) {}
    Change(Change&& other) noexcept;
    Change& operator=(Change&&) = delete;
    ~Change();
    bool covers(InodeId inode) const;

   private:
    friend class Leases;
    Leases* leases_;
    SessionId session_;
    std::vector<std::pair<InodeId, LeaseTable::Ticket>> claims_;
  };
  // Nobody else holds a lease on any of them, and nobody is granted one, as long as it lives.
  Result<Change> admit_change(SessionId session, const std::vector<InodeId>& inodes);
  // More inodes for a change that turned out to be about them. Best effort: the change has happened.
  void extend(Change& change, const std::vector<InodeId>& inodes);
  // The last name of an inode is gone: the other sessions that have it open, or that did not say.
  std::vector<SessionId> openers(SessionId session, InodeId inode);
  // Nobody is left who could claim that an inode without names is open.
  Status wait_for_reclaims(SessionId session);

  Status acquire_write(SessionId session, InodeId inode);
  // The write lease of an inode that the session has just made; false: somebody else has found it already.
  bool granted_new(SessionId session, InodeId inode);
  void acknowledge(SessionId session, const std::vector<Lease>& recalls, const std::vector<InodeId>& open);
  void drop(SessionId session, InodeId inode);  // the inode is gone
  void end(SessionId session);
  void stop();  // everyone who waits returns unavailable

  size_t count() const;
  // Some other session that the store knew at the start has not said what it holds.
  bool others_unreclaimed(SessionId session) const;

 private:
  using Wanted = LeaseTable::Wanted;
  Status wait_clear(Lock& lock, SessionId session, InodeId inode, Wanted wanted);
  Status claim_all(Change& change, const std::vector<InodeId>& inodes);
  bool others_unreclaimed_locked(SessionId session) const;

  Clock& clock_;
  const Options options_;
  mutable Mutex mutex_;  // guards what follows
  LeaseTable table_;
  std::set<SessionId> unreclaimed_;
  CondVar changed_;
  bool stopping_ = false;
};

}  // namespace cairn
