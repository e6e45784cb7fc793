// Who holds which bytes of which file, and who waits for them.
//
//   acquire --free--> held                       cancel, a session's end --> gone
//      |  \--held by another, no wait--> conflict
//      +--wait--> queued --release of what is in the way--> granted (an Ended)
//
// - Waiting is first come, first served: who waits is also in the way of those who come later and would conflict with
//   it. The exception keeps that rule itself from making a deadlock: who is waited for, directly or over others, by the
//   one in front need not stand behind it. Only what is held is in the way of a request that does not wait.
// - A request of kind posix that would close a circle of owners who wait for what the next one holds is a deadlock.
// - flock as Linux does it: a change of mode gives the old lock up first, and nobody looks for deadlocks.
// - A session that is held back (grace after a restart) is granted nothing: what it asks for is queued, also what does
//   not wait, and decided when it is held back no more.
//
// Bounded: locks and waits of a session; each search looks at a bounded number of pairs. Pure: no threads, no clock;
// the caller serialises. Not here: how a session learns of it (locks.h), when sessions end (sessions.h).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/base/result.h"
#include "common/meta/lock_ranges.h"

namespace cairn {

class LockTable {
 public:
  struct Limits {
    uint32_t held = 65'536;   // segments of one session
    uint32_t waiting = 4096;  // waits of one session
  };
  struct Answer {
    LockOutcome outcome = LockOutcome::granted;
    uint64_t token = 0;
  };
  struct Ended {  // a wait that has come to its end, whoever's call did that
    SessionId session{};
    uint64_t waiter = 0;
    Answer answer;
  };
  using Endings = std::vector<Ended>;

  // first_token: above those of any earlier run.
  explicit LockTable(uint64_t first_token) : LockTable(first_token, Limits{}) {}
  LockTable(uint64_t first_token, Limits limits) : limits_(limits), next_token_(first_token) {}

  // Also unlocks (mode none). A wait that is queued already is queued still. busy: the session has too much.
  Result<Answer> acquire(SessionId session, const LockCall& call, Endings& ended);
  // False: there is no such wait, for instance because it was granted before.
  bool cancel(SessionId session, uint64_t waiter, Endings& ended);
  // Replaces all that the session has. What it holds is granted past the queue; the number of locks that another holds
  // meanwhile is returned. Its waits stand at the end of the queue.
  uint64_t reclaim(SessionId session, const LockReclaim& reclaim, Endings& ended);
  void end_session(SessionId session, Endings& ended);
  void hold_back(SessionId session, bool back, Endings& ended);
  std::vector<SessionId> held_back() const { return {held_back_.begin(), held_back_.end()}; }

  // The first lock that is in the way; without names of sessions.
  std::optional<LockInfo> test(SessionId session, const HeldLock& wanted) const;
  LockPage list(const LockListCall& call) const;  // without names of sessions
  size_t waiting(SessionId session) const;
  size_t held(SessionId session) const;

 private:
  struct Key {
    SessionId session{};
    LockOwner owner;
    auto operator<=>(const Key&) const = default;
  };
  struct FileKey {
    InodeId inode{};
    LockKind kind{};
    auto operator<=>(const FileKey&) const = default;
  };
  struct Holding {
    LockRanges ranges;
    int32_t pid = 0;
  };
  struct File {
    std::map<Key, Holding> holders;
    std::set<uint64_t> queue;  // of waits, by their number in waits_
  };
  struct Wait {
    Key key;
    LockCall call;
  };
  struct Owner {
    std::set<FileKey> files;  // in which it holds something
    std::set<uint64_t> waits;
  };
  struct Session {
    size_t held = 0;
    std::map<uint64_t, uint64_t> waits;  // the client's name of a wait -> its number in waits_
  };
  using Files = std::map<FileKey, File>;

  static FileKey file_of(const Key& key, InodeId inode) { return {inode, key.owner.kind}; }
  Result<Answer> decide(const Key& key, const LockCall& call, Endings& ended);
  Status set(const Key& key, InodeId inode, const LockRange& range, LockMode mode, int32_t pid, uint64_t token);
  Answer grant(const Key& key, const LockCall& call, uint64_t token);
  bool enough_room(const Key& key, const LockCall& call) const;
  void enqueue(const Key& key, const LockCall& call);
  void remove_wait(uint64_t number);
  void end_wait(uint64_t number, Answer answer, Endings& ended);
  void drop_if_empty(const FileKey& file);
  void drop_if_empty(const Key& key);
  std::set<FileKey> remove_all_of(SessionId session);

  bool blocked_by_holder(const Key& key, const LockCall& call) const;
  bool blocked_by_queue(const Key& key, const LockCall& call, uint64_t before) const;
  // visit(key): an owner that this request must wait for. Ends when visit returns true, and says so.
  bool each_holder_in_the_way(const Key& key, const LockCall& call, const std::function<bool(const Key&)>& visit) const;
  bool each_wait_in_the_way(const Key& key, const LockCall& call, uint64_t before,
                            const std::function<bool(const Key&)>& visit) const;
  // Whether one of those who wait, directly or over others, is `to`; from: the owners to begin with.
  enum class Follow { holders, queues_too };
  bool leads_to(const std::vector<Key>& from, const Key& to, Follow follow, std::set<Key>* seen = nullptr) const;
  bool would_deadlock(const Key& key, const LockCall& call) const;
  bool somebody_may_wait_for(const Key& key) const;
  void serve(const FileKey& file, Endings& ended);
  bool serve_once(const FileKey& file, Endings& ended, std::vector<Key>& granted);
  void end_deadlocks(const FileKey& file, Endings& ended);
  void break_circle_of_queues(const Key& key, Endings& ended);

  const Limits limits_;
  uint64_t next_token_;
  uint64_t next_wait_ = 1;
  Files files_;
  std::map<Key, Owner> owners_;
  std::map<uint64_t, Wait> waits_;  // in the order of their coming
  std::map<SessionId, Session> sessions_;
  std::set<SessionId> held_back_;
};

}  // namespace cairn
