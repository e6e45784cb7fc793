// A worker: asks the metaserver for tasks of near-data jobs, runs them on its slots, and reports how they ended.
//
//   poll (long, says what runs here) --> start: queued for a free slot        one thread
//                                    --> drop: cancelled, or left out of the queue
//   slot: attempt --> run --> report, repeated until it is known to have arrived      a thread each
//   results that are too large for the metaserver stay in the spool, and are fetched from here (service.h)
//
// It holds nothing that must survive: what it was given and does not finish is given to another worker. A metaserver
// that restarts learns from the next poll what runs here; a lost session is replaced and nothing is given up for it.
// start() and stop() are called by one thread.
// Not here: how a task is done (task_attempt.h, merge_attempt.h), which task is given to whom (the metaserver).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chunkserver/worker/attempt.h"
#include "chunkserver/worker/worker_session.h"
#include "client/sessions/cluster_view.h"
#include "common/base/thread.h"
#include "common/programs/sandboxed_runner.h"
#include "common/rpc/chunk_client.h"
#include "common/rpc/rpc_server.h"

namespace cairn {

struct WorkerOptions {
  Address metaserver;
  std::string data;                             // the directory of the chunkserver that it stands beside
  ServerId own{};                               // that chunkserver
  uint32_t slots = 1;                           // tasks at once, 1 .. kMaxTaskSlots
  Address listen{"127.0.0.1", 0};               // where results that it keeps are fetched
  std::string advertise_host{};                 // that others are told; empty: as listened on
  uint32_t inline_partial = kMaxInlinePartial;  // bytes of a result that is told; a larger one is spooled
  uint64_t seed = 0;  // of its sessions' nonces, other at each start; 0: from the kernel. A simulation gives its own.
};

class Worker {
 public:
  Worker(Network& network, Clock& clock, Disk& disk, WorkerOptions options);
  ~Worker() { stop(); }
  Status start();  // fails if it cannot listen, or keep results
  void stop();     // cancels what runs; nothing of it is reported

 private:
  // What one slot's attempts read with.
  struct Slot {
    Slot(Network& network, Clock& clock, ClusterView& cluster)
        : counted(network), servers(counted, clock, [&cluster](ServerId server, bool refresh) {
            return cluster.address_of(server, refresh);
          }) {}
    CountingNetwork counted;
    ChunkClient servers;
    Thread thread;
  };
  struct Given {
    std::unique_ptr<Assignment> waiting;  // until a slot takes it
    std::shared_ptr<Attempt> attempt;     // from then on
    bool dropped = false;
  };

  void poll_loop();
  void clean_spool();
  void poll();
  TaskPoll describe();
  void take(TaskOrders orders);
  void slot_loop(Slot& slot);
  std::shared_ptr<Attempt> next_attempt(Slot& slot);  // waits; null when stopping
  void report(Attempt& attempt, const FinishTask& finish);
  void tell_refusal(Attempt& attempt, const FinishTask& finish, const Error& why);
  bool wanted(const TaskRef& ref);
  void pause(Duration duration);  // shorter when stopping

  Network& network_;
  Clock& clock_;
  Disk& disk_;
  const WorkerOptions options_;
  MetaClient meta_;
  ClusterView cluster_;
  programs::SandboxedRunner programs_;
  JobCache jobs_;
  Spool spool_;
  RpcServer results_;
  WorkerSession session_;
  std::vector<std::unique_ptr<Slot>> slots_;
  Mutex mutex_;  // guards what follows
  CondVar changed_;
  std::map<TaskRef, Given> given_;
  std::deque<TaskRef> queue_;  // of those that wait, in order
  bool stopping_ = false;
  std::optional<bool> reachable_;  // whether the last poll was answered
  uint64_t attempts_ = 0;          // begun so far
  Instant cleaned_at_;             // of the polling thread
  Thread poller_;
};

}  // namespace cairn
