// The replies of thrift/task.thrift, of the metaserver and of workers.
#include <fmt/format.h>

#include "common/rpc/wire.h"
#include "common/rpc/wire_task_checks.h"

namespace cairn {

using namespace wire_checks;

void fill_reply(thrift::JobReply& reply, const JobId& job) { reply.__set_job(to_wire_id(job)); }
Result<JobId> from_wire(const thrift::JobReply& reply) {
  return unpack(reply, reply.__isset.job, [&]() -> Result<JobId> {
    TRY(check_job(reply.job));
    return from_wire_id<JobId>(reply.job);
  });
}

void fill_reply(thrift::JobStatusReply& reply, const JobStatus& status) { reply.__set_status(to_wire(status)); }
Result<JobStatus> from_wire(const thrift::JobStatusReply& reply) {
  return unpack(reply, reply.__isset.status, [&] { return from_wire(reply.status); });
}

void fill_reply(thrift::ListJobsReply& reply, const JobList& list) {
  reply.__set_jobs(to_wire(list.jobs));
  reply.__set_complete(list.complete);
}
Result<JobList> from_wire(const thrift::ListJobsReply& reply) {
  return unpack(reply, reply.__isset.jobs && reply.__isset.complete, [&]() -> Result<JobList> {
    JobList list;
    ASSIGN(list.jobs, from_wire(reply.jobs));
    list.complete = reply.complete;
    return list;
  });
}

void fill_reply(thrift::JobPlanReply& reply, const JobPlan& plan) {
  reply.__set_tasks(to_wire(plan.tasks));
  reply.__set_complete(plan.complete);
}
Result<JobPlan> from_wire(const thrift::JobPlanReply& reply) {
  return unpack(reply, reply.__isset.tasks && reply.__isset.complete, [&]() -> Result<JobPlan> {
    JobPlan plan;
    ASSIGN(plan.tasks, from_wire(reply.tasks));
    plan.complete = reply.complete;
    return plan;
  });
}

void fill_reply(thrift::JobDescriptionReply& reply, const JobDescription& job) {
  reply.__set_phase(static_cast<int32_t>(job.phase));
  reply.__set_op(job.op);
  reply.__set_arguments(job.arguments);
  if (job.output) reply.__set_output(to_wire(*job.output));
  reply.__set_inputs(static_cast<int32_t>(job.inputs));
  reply.__set_files(to_wire(job.files));
  reply.__set_complete(job.complete);
}
Result<JobDescription> from_wire(const thrift::JobDescriptionReply& reply) {
  const bool all = reply.__isset.phase && reply.__isset.op && reply.__isset.files && reply.__isset.complete;
  return unpack(reply, all, [&]() -> Result<JobDescription> {
    JobDescription own;
    ASSIGN(own.phase, phase_of(reply.phase, JobPhase::receiving, JobPhase::cancelled));
    ASSIGN(own.op, op_of(reply.op));
    ASSIGN(own.arguments, arguments_of(reply.arguments));
    if (reply.__isset.output) {
      ASSIGN(own.output, from_wire(reply.output));
    }
    TRY(check_between("the number of a job's files", reply.inputs, 1, kMaxJobInputs));
    own.inputs = static_cast<uint32_t>(reply.inputs);
    ASSIGN(own.files, from_wire(reply.files));
    own.complete = reply.complete;
    return own;
  });
}

void fill_reply(thrift::JobLayoutReply& reply, const JobLayout& layout) {
  reply.__set_version(static_cast<int64_t>(layout.version));
  reply.__set_size(static_cast<int64_t>(layout.size));
  reply.__set_extents(to_wire(layout.extents));
  reply.__set_chunks(to_wire(layout.chunks));
  reply.__set_holders(to_wire(layout.holders));
  if (layout.inline_data) reply.__set_inline_data(*layout.inline_data);
  reply.__set_covered_until(static_cast<int64_t>(layout.covered_until));
}
Result<JobLayout> from_wire(const thrift::JobLayoutReply& reply) {
  return unpack(reply, reply.__isset.extents && reply.__isset.covered_until, [&]() -> Result<JobLayout> {
    JobLayout own;
    own.version = static_cast<uint64_t>(reply.version);
    TRY(check_range(reply.size, 0));
    own.size = static_cast<uint64_t>(reply.size);
    ASSIGN(own.extents, from_wire(reply.extents));
    ASSIGN(own.chunks, from_wire(reply.chunks));
    ASSIGN(own.holders, from_wire(reply.holders));
    if (reply.__isset.inline_data) {
      TRY(check_size("inline data", reply.inline_data.size(), kMaxInlineBytes));
      own.inline_data = reply.inline_data;
    }
    TRY(check_count("covered_until", reply.covered_until));
    own.covered_until = static_cast<uint64_t>(reply.covered_until);
    return own;
  });
}

void fill_reply(thrift::TaskPollReply& reply, const TaskOrders& orders) {
  reply.__set_start(to_wire(orders.start));
  reply.__set_drop(to_wire(orders.drop));
}
Result<TaskOrders> from_wire(const thrift::TaskPollReply& reply) {
  return unpack(reply, reply.__isset.start && reply.__isset.drop, [&]() -> Result<TaskOrders> {
    TaskOrders own;
    ASSIGN(own.start, from_wire(reply.start));
    ASSIGN(own.drop, from_wire(reply.drop));
    return own;
  });
}

void fill_reply(thrift::TaskVerdictReply& reply, const TaskVerdict& verdict) {
  reply.__set_verdict(static_cast<int32_t>(verdict));
}
Result<TaskVerdict> from_wire(const thrift::TaskVerdictReply& reply) {
  return unpack(reply, reply.__isset.verdict, [&]() -> Result<TaskVerdict> {
    TRY(check_between("a verdict", reply.verdict, static_cast<int>(TaskVerdict::accepted),
                      static_cast<int>(TaskVerdict::changed)));
    return static_cast<TaskVerdict>(reply.verdict);
  });
}

void fill_reply(thrift::JobResultsReply& reply, const JobResults& results) {
  reply.__set_results(to_wire(results.results));
  reply.__set_next_task(static_cast<int32_t>(results.next));
  reply.__set_complete(results.complete);
}
Result<JobResults> from_wire(const thrift::JobResultsReply& reply) {
  return unpack(reply, reply.__isset.results && reply.__isset.complete, [&]() -> Result<JobResults> {
    JobResults own;
    ASSIGN(own.results, from_wire(reply.results));
    TRY(check_between("the next task", reply.next_task, 0, kMaxJobTasks));
    own.next = static_cast<uint32_t>(reply.next_task);
    own.complete = reply.complete;
    return own;
  });
}

void fill_reply(thrift::FetchPartialReply& reply, const std::string& bytes) { reply.__set_bytes(bytes); }
Result<std::string> from_wire(const thrift::FetchPartialReply& reply) {
  return unpack(reply, reply.__isset.bytes, [&]() -> Result<std::string> {
    TRY(check_size("a piece of a partial", reply.bytes.size(), kMaxPartialPiece));
    return reply.bytes;
  });
}

}  // namespace cairn
