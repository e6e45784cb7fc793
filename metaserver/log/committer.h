// The one way to change metadata: propose(command) returns when it is in the synced log and applied.
//
//   propose() x N  ->  batch  ->  log: one write, one sync  ->  apply each  ->  store: one batch  ->  wake the N
//
// One thread does the batches; the next gathers meanwhile (commit_batcher.h decides). Later Raft stands here, behind
// propose(). When the log, the store or the state machine fails, nothing more is promised: everyone who waits and
// everyone who comes gets `unavailable` (it may have happened, and after a restart a retry is answered), and on_failure
// is called once. The owner ends the process.
//
// A full disk is no failure. While space is low, changes that need it are refused with no_space before the log
// (space_needs.h); others still go through, out of the reserve. What does not fit even then is refused whole. Should
// the store take no more after the log has, the batch waits, because it will have happened, until the store can be
// resumed. A request that was refused stays refused, so that a late duplicate of it cannot do what its client was told
// was not done; that is remembered for the last kRefusalsKept.
//
// propose() from any thread. Not here: the log's files (command_log.h), recovery (recovery.h), flushing
// (checkpointer.h), how full the disk is (disk_reserve.h).
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/thread.h"
#include "metaserver/log/command_log.h"
#include "metaserver/log/commit_batcher.h"
#include "metaserver/log/disk_reserve.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

class Committer {
 public:
  struct Options {
    CommitBatcher::Limits limits;
    std::function<void(const Error&)> on_failure = {};  // on the committer's thread, without a mutex
    DiskReserve* reserve = nullptr;                     // none: the disk is full when a write says so. Outlives this.
    Duration store_pause = 500ms;                       // between two attempts to resume a store on a full disk
  };
  // applied and wall_ns: of the last command in the store (recovery.h).
  Committer(Clock& clock, CommandLog& log, OrderedStore& store, LogIndex applied, int64_t wall_ns, Options options);
  ~Committer();  // stops

  // The outcome of the command; its time is picked here. busy: too much is waiting. unavailable: stopped or failed.
  // no_space: the metadata's disk is full, and nothing was done.
  Outcome propose(Command command);
  // A command of the metaserver's own.
  Outcome propose(CommandBody body) { return propose(Command{{}, 0, std::move(body)}); }

  LogIndex applied() const { return LogIndex{applied_.load(std::memory_order_acquire)}; }
  int64_t last_wall_ns() const { return last_wall_ns_.load(std::memory_order_acquire); }  // of the last applied command
  uint64_t batches() const { return batches_.load(std::memory_order_relaxed); }
  // From now on a store without room is a failure and not waited for: those who wait for their answer end with
  // unavailable. Before the end of whoever calls propose().
  void give_up_waiting();
  // Commits what waits, then refuses. Idempotent.
  void stop();

 private:
  struct Waiter {
    CondVar answered;
    std::optional<Outcome> outcome;  // guarded by mutex_
  };
  using Waiters = std::vector<std::shared_ptr<Waiter>>;
  // A batch on its way. Those without an outcome are to be logged, or were.
  struct UnderWay {
    CommitBatcher::Batch batch;
    std::vector<std::optional<Outcome>> outcomes;
    std::vector<size_t> logged;  // positions, ascending
  };
  static constexpr size_t kRefusalsKept = 16384;
  void run();
  Status commit(UnderWay& work);
  Status refuse_what_needs_space(UnderWay& work);
  Status refuse_refused_before(UnderWay& work);
  void refuse_all(UnderWay& work, const Error& error);
  Status log(UnderWay& work);
  Status write(const UnderWay& work, const std::vector<StoreWrite>& rows);
  bool wait_for_the_store(const UnderWay& work, const Error& error);
  void remember_refusal(const Mutation& mutation);
  Error no_space(const std::string& cause) const;
  void answer(UnderWay work);
  void fail(const Error& error);

  Clock& clock_;
  CommandLog& log_;
  OrderedStore& store_;
  const Options options_;
  std::atomic<uint64_t> applied_;
  std::atomic<int64_t> last_wall_ns_;
  std::atomic<uint64_t> batches_{0};
  // Of the thread: requests that were answered with no_space, and their order of arrival.
  using Request = std::pair<SessionId, RequestId>;
  std::set<Request> refused_;
  std::deque<Request> refused_in_order_;

  Mutex mutex_;  // guards what follows
  CommitBatcher batcher_;
  std::unordered_map<CommitBatcher::Ticket, std::shared_ptr<Waiter>> waiters_;
  bool stopping_ = false;
  bool impatient_ = false;  // guarded by mutex_
  CondVar work_;

  Thread thread_;  // last: it uses all of the above
};

}  // namespace cairn
