// Brings jobs from phase to phase: pins, cuts, computes quote states, ends what took too long, and cleans up behind.
//
//   planning    --PinInputs, CutTasks--> surveying or mapping
//   surveying   --SetQuoteStates, when all were surveyed--> mapping
//   over        --hidden files, then RemoveJobRows--> its pins are gone; a day later everything
//
// All that it goes by are rows, so a restart goes on where it was. One thread, or the rounds of a test. Bounded in each
// round; jobs take turns. Not here: who maps what (task_scheduler.h).
#pragma once

#include "common/base/thread.h"
#include "metaserver/jobs/dispatcher.h"
#include "metaserver/jobs/job_ages.h"
#include "metaserver/sessions/admission.h"

namespace cairn {

class JobPlanner {
 public:
  struct Options {
    Duration look_every = 1s;
    Duration receive_within = 10min;         // all inputs of a job are told
    Duration workers_within = 60s;           // somebody has a slot for a job that waits
    Duration keep = std::chrono::hours(24);  // a job that is over
    uint32_t keep_most = 1000;               // of those
  };
  JobPlanner(Clock& clock, Committer& committer, const OrderedStore& store, Leases& leases, Admission& admission,
             Dispatcher& dispatcher, Options options);
  ~JobPlanner();  // stops

  void start();
  void stop();
  void wake();  // something has changed
  // One pass over the jobs. True: there is more to do at once. Errors are those of the store or the log.
  Result<bool> round();

 private:
  void run();
  Result<bool> advance(JobId job);
  Result<bool> plan(const queries::JobRecord& job);
  Status pin(const queries::JobRecord& job);
  std::optional<Error> overdue(const queries::JobRecord& job);
  Status fail_given_up();
  Result<bool> clean_up();
  Result<bool> clean_up(const queries::JobRecord& job, bool whole);
  Status remove_hidden(const queries::JobRecord& job);
  Status propose(CommandBody body);
  bool stopping() const;

  Clock& clock_;
  Committer& committer_;
  const OrderedStore& store_;
  Leases& leases_;
  Admission& admission_;
  Dispatcher& dispatcher_;
  const Options options_;
  JobAges ages_;                            // of the thread
  std::optional<Instant> without_workers_;  // of the thread: since when nobody has a slot
  mutable Mutex mutex_;
  CondVar changed_;
  bool awake_ = false;     // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  Thread thread_;
};

}  // namespace cairn
