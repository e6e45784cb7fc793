// Workers at the metaserver: their polls wait here until there is something to do; the decisions are
// task_scheduler.h's.
//
// A poll holds a thread of its connection and no mutex, as polls for events do. Any thread. The mutex is a leaf, and is
// not held while rows are read or a command is proposed.
#pragma once

#include <functional>

#include "common/base/thread.h"
#include "metaserver/jobs/task_scheduler.h"
#include "metaserver/log/committer.h"
#include "metaserver/state/job_queries.h"

namespace cairn {

class Dispatcher {
 public:
  struct Options {
    TaskScheduler::Options scheduler;
    LogIndex start{};       // applied when this run of the metaserver began
    Duration reclaim = 6s;  // after that, workers name what an earlier run gave them, and get nothing new of its jobs
    Duration look_again = 250ms;  // a waiting poll: what depends on time alone
  };
  Dispatcher(Clock& clock, Committer& committer, const OrderedStore& store, Options options);

  // Takes the job's phase from the store: its tasks are given out, or dropped. After each change of a phase.
  Status refresh(JobId job);
  // The task's result was lost: it is given out again, if the job is still in that phase.
  Status refresh_task(JobId job, uint32_t task);
  // Waits for at most poll.wait. An older poll of the same worker gives way. `site` and `session` are the worker's.
  Result<TaskOrders> poll(SessionId session, const std::string& site, const TaskPoll& poll);
  void on_finished(const TaskRef& ref, ServerId server, bool succeeded);
  void session_ended(SessionId session);
  void tick();
  void stop();  // everyone who waits returns unavailable

  TaskScheduler::Activity activity(JobId job) const;
  std::vector<TaskScheduler::GivenUp> take_given_up();
  uint32_t slots() const;
  Address results_of(
      ServerId server) const;  // where its worker's spooled partials are fetched; port 0: it is not there

 private:
  struct Box {  // of one worker
    SessionId session{};
    Address results;
    CondVar changed;
    uint64_t polls = 0;
  };
  void wake_all();  // mutex_ held
  Result<std::optional<Assignment>> assignment(const StoreView& view, const TaskRef& ref, ServerId server);

  Clock& clock_;
  Committer& committer_;
  const OrderedStore& store_;
  const Options options_;
  const Instant started_;
  mutable Mutex mutex_;  // guards what follows
  TaskScheduler scheduler_;
  std::map<ServerId, std::shared_ptr<Box>> boxes_;
  std::map<JobId, LogIndex> seen_;  // how far the state was that a job's phase was taken from
  bool stopping_ = false;
};

}  // namespace cairn
