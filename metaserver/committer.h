// The one way to change metadata: propose(command) returns when it is in the synced log and applied.
//
//   propose() x N  ->  batch  ->  log: one write, one sync  ->  apply each  ->  store: one batch  ->  wake the N
//
// One thread does the batches; the next gathers meanwhile (commit_batcher.h decides). Later Raft stands here, behind
// propose(). When the log, the store or the state machine fails, nothing more is promised: everyone who waits and
// everyone who comes gets `unavailable` (it may have happened, and after a restart a retry is answered), and on_failure
// is called once. The owner ends the process. propose() from any thread. Not here: the log's files (command_log.h),
// recovery (recovery.h), flushing (checkpointer.h).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/thread.h"
#include "metaserver/command_log.h"
#include "metaserver/commit_batcher.h"
#include "metaserver/ordered_store.h"

namespace cairn {

class Committer {
 public:
  struct Options {
    CommitBatcher::Limits limits;
    std::function<void(const Error&)> on_failure = {};  // on the committer's thread, without a mutex
  };
  // applied and wall_ns: of the last command in the store (recovery.h).
  Committer(Clock& clock, CommandLog& log, OrderedStore& store, LogIndex applied, int64_t wall_ns, Options options);
  ~Committer();  // stops

  // The outcome of the command; its time is picked here. busy: too much is waiting. unavailable: stopped or failed.
  Outcome propose(Command command);
  // A command of the metaserver's own.
  Outcome propose(CommandBody body) { return propose(Command{{}, 0, std::move(body)}); }

  LogIndex applied() const { return LogIndex{applied_.load(std::memory_order_acquire)}; }
  int64_t last_wall_ns() const { return last_wall_ns_.load(std::memory_order_acquire); }  // of the last applied command
  uint64_t batches() const { return batches_.load(std::memory_order_relaxed); }
  // Commits what waits, then refuses. Idempotent.
  void stop();

 private:
  struct Waiter {
    CondVar answered;
    std::optional<Outcome> outcome;  // guarded by mutex_
  };
  using Waiters = std::vector<std::shared_ptr<Waiter>>;
  void run();
  Result<std::vector<Outcome>> commit(const CommitBatcher::Batch& batch);
  void answer(const CommitBatcher::Batch& batch, std::vector<Outcome> outcomes);
  void fail(const Error& error);

  Clock& clock_;
  CommandLog& log_;
  OrderedStore& store_;
  const Options options_;
  std::atomic<uint64_t> applied_;
  std::atomic<int64_t> last_wall_ns_;
  std::atomic<uint64_t> batches_{0};

  Mutex mutex_;  // guards what follows
  CommitBatcher batcher_;
  std::unordered_map<CommitBatcher::Ticket, std::shared_ptr<Waiter>> waiters_;
  bool stopping_ = false;
  CondVar work_;

  Thread thread_;  // last: it uses all of the above
};

}  // namespace cairn
