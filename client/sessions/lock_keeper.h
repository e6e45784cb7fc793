// What this mount holds and waits for in locks, and how its programs get them: one message a call, nobody waits here.
//
//   begin() -> lock() -> granted, refused --------------------> done
//                 \----> queued: parked -- event, interrupt --> done, from another thread
//
// - The record of what is held lets close() of a file without locks cost nothing, and is what a metaserver that has
//   restarted is told (reclaim). While that is told no other call is under way, so it is told exactly what is so.
// - Locks of an open file description (OFD) and of flock end with the handle they were set through, those of a process
//   with each close of the file by that process; whose lock is which the kernel does not say and need not.
//
// Any thread. The mutex is a leaf and not held in calls and callbacks. Not here: who gets what
// (metaserver/sessions/lock_table.h), the kernel's side (fuse/fuse_ops_locks.cc).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/base/thread.h"
#include "common/meta/lock_ranges.h"
#include "common/rpc/meta_client.h"

namespace cairn {

// What a program is told: granted, conflict, deadlock, no_room, or an error (interrupted, io).
using LockResult = Result<LockOutcome>;

class LockKeeper {
 public:
  using Done = std::function<void(const LockResult&)>;
  struct Request {
    InodeId inode{};
    LockOwner owner;
    uint64_t handle = 0;  // of the open file that it goes through
    int32_t pid = 0;
    LockRange range;
    LockMode mode = LockMode::none;  // none unlocks
    bool wait = false;
  };
  // note: is shown every error of a call, and may find in it that the session has ended.
  LockKeeper(MetaClient& meta, Clock& clock, std::function<void(const Error&)> note);
  ~LockKeeper() { stop(); }
  void stop();  // joins the thread; calls under way must be ended by MetaClient::shut_down()

  // The name of a request that lock() is going to make. done is called once, by lock() or later by another thread.
  uint64_t begin(Done done);
  void lock(uint64_t name, const Request& request);
  // The program has had a signal: done is told `interrupted`, unless the lock is granted before. Calls nothing itself,
  // so it may be called wherever a signal is noticed, also before lock().
  void interrupt(uint64_t name);
  Result<std::optional<LockInfo>> test(const Request& request);

  // A process closes a descriptor: its locks of the file end. Without locks there is no message.
  void closed(InodeId inode, LockOwner owner);
  // The last descriptor of a handle is closed.
  void released(InodeId inode, uint64_t handle);
  bool holds_nothing() const;

  // Events of the session.
  void ended(const LockNotice& notice);
  Status restarted(uint64_t run);  // reclaims, unless that was done for this run
  // Tells the metaserver all that is held and waited for; after a restart, before anything else is granted.
  Status reclaim();
  // Everybody who waits is told so, and later requests too: the mount goes away.
  void fail_all(const Error& error);
  // The session has ended, and its locks with it: everybody who waits is told so.
  void forget_all(const Error& error);

 private:
  struct Owned {
    LockRanges ranges;
    std::set<uint64_t> handles;  // that locks were set through since the owner last had none
    int32_t pid = 0;
    uint32_t under_way = 0;  // calls and waits
    bool unsure = false;     // a call had no answer: it may hold more than `ranges`
  };
  using OwnerKey = std::pair<InodeId, LockOwner>;
  enum class Stage { begun, asked, parked };
  struct Waiter {
    Done done;
    Request request;
    Stage stage = Stage::begun;
    bool interrupted = false;
  };
  Result<LockAnswer> ask(uint64_t name, const Request& request);
  Status unlock_all(const OwnerKey& key);
  void unlock_later(const OwnerKey& key);
  void finish(uint64_t name, const LockResult& result);
  Done take(uint64_t name);                                      // mutex_ held; what is to be called without it
  void apply(const Request& request, const LockAnswer& answer);  // mutex_ held
  void settle(const OwnerKey& key);                              // mutex_ held; forgets an owner that has nothing
  std::vector<Done> take_parked();                               // mutex_ held
  void leave_waiter(const Waiter& waiter);                       // mutex_ held
  uint64_t enter();                                              // returns the run; waits while it is reclaimed
  void leave();
  Status reclaim_unless(uint64_t known_run);
  LockReclaim all_of_it() const;  // mutex_ held
  void loop();
  void cancel(uint64_t name);

  MetaClient& meta_;
  Clock& clock_;
  const std::function<void(const Error&)> note_;
  mutable Mutex mutex_;  // guards what follows
  CondVar changed_;      // of the gate, and of what the thread has to do
  std::map<InodeId, std::map<LockOwner, Owned>> owned_;
  std::map<uint64_t, Waiter> waiters_;
  uint64_t next_name_ = 1;
  uint64_t run_ = 0;         // of the metaserver; 0: never heard
  uint32_t calls_ = 0;       // under way
  bool reclaiming_ = false;  // no call begins
  std::vector<uint64_t> to_cancel_;
  std::vector<OwnerKey> to_unlock_;
  std::optional<Error> failed_;
  bool stopping_ = false;
  Thread thread_;  // cancels what was interrupted; repeats what had no answer
};

}  // namespace cairn
