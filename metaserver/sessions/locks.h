// Locks of all mounts, as the calls of thrift/lock.thrift use them: the table with its mutex, what was answered, and
// the way of the news to who waits.
//
//   lock --> answered at once: granted, conflict, deadlock, or queued        no connection waits here
//   unlock, cancel, a session's end --> waits of others are granted --> events of their sessions (sessions.h)
//
// Volatile: after a restart each session tells what it holds (reclaim), and until all others have done so, or ended,
// what a session asks for is queued. Rules are lock_table.h. Any thread. The mutex is a leaf: sessions are asked and
// told without it.
#pragma once

#include <functional>
#include <map>

#include "common/base/thread.h"
#include "metaserver/sessions/lock_answers.h"
#include "metaserver/sessions/lock_table.h"
#include "metaserver/sessions/sessions.h"

namespace cairn {

class Locks {
 public:
  struct Options {
    uint64_t run = 1;  // of this life of the metaserver; larger than those of earlier ones
    uint64_t first_token = 1;
    LockTable::Limits limits;
  };
  // others_unreclaimed: some other restored session has not reclaimed yet, so this one is granted nothing. It may only
  // change from true to false; say so by grace_changed().
  Locks(Sessions& sessions, std::function<bool(SessionId)> others_unreclaimed, Options options);

  // Each happens once (lock_answers.h). no_session: the session has ended, and holds nothing any more.
  Result<LockAnswer> lock(const Mutation& mutation, const LockCall& call);
  // granted: the wait is not there (any more): its end was, or will be, told by an event. conflict: it ended now.
  Result<LockAnswer> cancel(const Mutation& mutation, uint64_t run, uint64_t waiter);
  Result<LockAnswer> reclaim(const Mutation& mutation, const LockReclaim& reclaim);
  // busy while others have not reclaimed: it is not known.
  Result<std::optional<LockInfo>> test(SessionId session, const HeldLock& wanted) const;
  Result<LockPage> list(const LockListCall& call) const;

  void session_ended(SessionId session);
  void grace_changed();

 private:
  Result<LockAnswer> once(const Mutation& mutation, uint64_t run,
                          const std::function<Result<LockTable::Answer>(LockTable::Endings&)>& act);
  void update_grace(SessionId session);
  void tell(const LockTable::Endings& ended) const;
  void add_names(std::vector<LockInfo>& locks) const;

  Sessions& sessions_;
  const std::function<bool(SessionId)> others_unreclaimed_;
  const Options options_;
  mutable Mutex mutex_;  // guards what follows
  LockTable table_;
  std::map<SessionId, LockAnswers> answers_;
  uint64_t grace_version_ = 0;
};

}  // namespace cairn
