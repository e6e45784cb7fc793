// What the operations on near-data jobs share: a job at work, its change of phase, its end.
#pragma once

#include "metaserver/ops/operation.h"
#include "metaserver/state/job_queries.h"

namespace cairn::ops {

// A job's rows; put() writes back its state.
class JobAtWork {
 public:
  JobAtWork(Operation& operation, queries::JobRecord record) : operation_(operation), record_(std::move(record)) {}
  // none: there is no such job (any more).
  static Result<std::optional<JobAtWork>> find(Operation& operation, JobId job);

  JobId id() const { return record_.job; }
  const JobRow& row() const { return record_.row; }
  JobStateRow& state() { return record_.state; }
  void put();

  // The phase that follows when all of this one is done. Ends the job, if there is none.
  Status planned();
  Status surveyed();
  Status mapped();
  // It is over: nothing is pinned for it any more. Writes its state.
  Status end(JobPhase phase, std::optional<Error> failure = {});
  void count(ServerId server, const TaskCounters& counters);  // of a result that counts

 private:
  Operation& operation_;
  queries::JobRecord record_;
};

// Changes the row of all jobs.
template <typename Change>
Status change_live_jobs(Operation& operation, const Change& change) {
  ASSIGN(JobsRow row, queries::live_jobs(operation.rows));
  change(row);
  operation.rows.put(kJobsKey, encode_row(row));
  return {};
}

}  // namespace cairn::ops
