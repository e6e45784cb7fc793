// The calls of near-data jobs: what submitters and workers ask (common/meta/jobs.h), and the parts that answer.
//
//   submit, inputs, cancel    commands                       planner.h brings jobs from phase to phase
//   poll, finish              commands and dispatcher.h      task_scheduler.h decides who maps what
//   status, plan, layout ...  looks at the store
//
// Any thread. A result counts when its command is applied; what is volatile follows it.
#pragma once

#include "common/rpc/wire.h"
#include "metaserver/jobs/dispatcher.h"
#include "metaserver/jobs/planner.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/sessions/sessions.h"

namespace cairn {

class Jobs {
 public:
  struct Options {
    Dispatcher::Options dispatcher;
    JobPlanner::Options planner;
  };
  Jobs(Clock& clock, Committer& committer, const OrderedStore& store, Sessions& sessions, Leases& leases,
       Admission& admission, const Cluster& cluster, Options options);

  Status start();                              // goes on with the jobs of earlier runs
  void stop_waiting() { dispatcher_.stop(); }  // polls that wait return unavailable
  void stop();
  void session_ended(SessionId session) { dispatcher_.session_ended(session); }

  // invalid: there is no such operator, or it cannot take these arguments. too_big: too many jobs are under way.
  Outcome submit(const Mutation& mutation, SubmitJob job);
  Outcome add_inputs(const Mutation& mutation, AddJobInputs inputs);
  Outcome cancel(const Mutation& mutation, const CancelJob& cancel);
  Outcome lost_result(const Mutation& mutation, const LostResult& lost);
  Result<TaskVerdict> finish_task(const Mutation& mutation, FinishTask done);
  Result<TaskVerdict> finish_job(const Mutation& mutation, const FinishJob& done);
  Result<TaskOrders> poll(SessionId session, const TaskPoll& poll);

  Result<JobStatus> status(JobId job) const;
  Result<JobList> list(JobId after, uint32_t limit) const;
  Result<JobPlan> plan(JobId job, uint32_t first, uint32_t limit) const;
  Result<JobDescription> describe(JobId job, uint32_t first, uint32_t limit) const;
  Result<JobLayout> layout(const JobLayoutCall& call) const;
  Result<JobResults> results(JobId job, uint32_t first, uint32_t limit) const;

 private:
  void changed(JobId job);
  JobStatus status_of(const queries::JobRecord& job) const;

  Clock& clock_;
  Committer& committer_;
  const OrderedStore& store_;
  Sessions& sessions_;
  Admission& admission_;
  const Cluster& cluster_;
  Dispatcher dispatcher_;
  JobPlanner planner_;
};

}  // namespace cairn
