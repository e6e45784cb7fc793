// The requests of thrift/task.thrift, to the metaserver and to workers.
#include <fmt/format.h>

#include "common/rpc/wire.h"
#include "common/rpc/wire_task_checks.h"

namespace cairn {

using namespace wire_checks;

namespace {

constexpr int32_t kMaxPage = INT32_MAX;  // who answers bounds pages itself
constexpr size_t kMaxFailureBytes = 4096;
constexpr size_t kMaxRunning = 4096;  // that one poll names: those of an earlier run included

// Of one attempt. What claims more than 2^44 is not believed: sums over a job's attempts must not overflow.
Result<TaskCounters> attempt_counters(const thrift::TaskCounters& wire) {
  constexpr uint64_t kMost = uint64_t{1} << 44;
  ASSIGN(const TaskCounters counters, from_wire(wire));
  for (const uint64_t one :
       {counters.bytes_local, counters.bytes_network, counters.bytes_decoded, counters.bytes_sent, counters.cpu_ms}) {
    if (one > kMost) return invalid(fmt::format("the counter {} of a task", one));
  }
  return counters;
}

}  // namespace

// ---- requests that change something --------------------------------------------------------------------------------

thrift::JobRequest to_wire(const SubmitJob& job, const Mutation& mutation) {
  thrift::JobRequest wire;
  wire.mutation = to_wire(mutation);
  wire.op = job.op;
  wire.arguments = job.arguments;
  wire.inputs = static_cast<int32_t>(job.inputs);
  if (job.output) wire.__set_output(to_wire(*job.output));
  wire.task_bytes = static_cast<int64_t>(job.task_bytes);
  wire.time_limit_ms = job.time_limit_ms;
  return wire;
}
Result<SubmitJob> from_wire(const thrift::JobRequest& request) {
  constexpr int64_t kMost = kMaxJobTime / std::chrono::milliseconds(1);
  SubmitJob own;
  ASSIGN(own.op, op_of(request.op));
  ASSIGN(own.arguments, arguments_of(request.arguments));
  TRY(check_between("the number of a job's files", request.inputs, 1, kMaxJobInputs));
  own.inputs = static_cast<uint32_t>(request.inputs);
  if (request.__isset.output) {
    ASSIGN(own.output, from_wire(request.output));
  }
  TRY(check_between("bytes of a task", request.task_bytes, kMinTaskBytes, kMaxTaskBytes));
  own.task_bytes = static_cast<uint64_t>(request.task_bytes);
  TRY(check_between("a job's time limit in ms", request.time_limit_ms, 1, kMost));
  own.time_limit_ms = request.time_limit_ms;
  return own;
}

thrift::JobInputsRequest to_wire(const AddJobInputs& request, const Mutation& mutation) {
  thrift::JobInputsRequest wire;
  wire.mutation = to_wire(mutation);
  wire.job = to_wire_id(request.job);
  wire.first = static_cast<int32_t>(request.first);
  wire.inputs = to_wire(request.inputs);
  return wire;
}
Result<AddJobInputs> from_wire(const thrift::JobInputsRequest& request) {
  TRY(check_job(request.job));
  TRY(check_between("the first input of a page", request.first, 0, kMaxJobInputs - 1));
  TRY(check_between("inputs in one page", static_cast<int64_t>(request.inputs.size()), 1, kMaxInputsPage));
  AddJobInputs own{from_wire_id<JobId>(request.job), static_cast<uint32_t>(request.first), {}};
  ASSIGN(own.inputs, from_wire(request.inputs));
  return own;
}

thrift::CancelJobRequest to_wire(const CancelJob& request, const Mutation& mutation) {
  thrift::CancelJobRequest wire;
  wire.mutation = to_wire(mutation);
  wire.job = to_wire_id(request.job);
  return wire;
}
Result<CancelJob> from_wire(const thrift::CancelJobRequest& request) {
  TRY(check_job(request.job));
  return CancelJob{from_wire_id<JobId>(request.job)};
}

thrift::FinishTaskRequest to_wire(const FinishTask& request, const Mutation& mutation) {
  thrift::FinishTaskRequest wire;
  wire.mutation = to_wire(mutation);
  wire.ref = to_wire(request.ref);
  wire.server = static_cast<int32_t>(raw(request.server));
  wire.counters = to_wire(request.counters);
  if (request.failure) wire.__set_failure(to_wire(*request.failure));
  wire.odd_quotes = request.odd_quotes;
  wire.heads = to_wire(request.heads);
  wire.partial = request.partial;
  if (request.spooled) wire.__set_spooled(to_wire(*request.spooled));
  wire.outputs = to_wire(request.outputs);
  return wire;
}
Result<FinishTask> from_wire(const thrift::FinishTaskRequest& request) {
  FinishTask own;
  ASSIGN(own.ref, from_wire(request.ref));
  if (request.server == 0) return invalid("a result of server 0");
  own.server = from_wire_id<ServerId>(request.server);
  ASSIGN(own.counters, attempt_counters(request.counters));
  if (request.__isset.failure) {
    own.failure = from_wire(request.failure);
    if (own.failure->what.size() > kMaxFailureBytes) own.failure->what.resize(kMaxFailureBytes);
    return own;
  }
  TRY(check_size("quotes", request.odd_quotes.size(), kMaxInlinePartial));
  own.odd_quotes = request.odd_quotes;
  size_t heads = 0;
  for (const thrift::FileHead& head : request.heads) heads += head.text.size();
  TRY(check_size("heads", heads, kMaxHeadsBytes));
  ASSIGN(own.heads, from_wire(request.heads));
  TRY(check_size("a partial that is not spooled", request.partial.size(), kMaxInlinePartial));
  own.partial = request.partial;
  if (request.__isset.spooled) {
    if (!own.partial.empty()) return invalid("a partial that is spooled and told at once");
    ASSIGN(own.spooled, from_wire(request.spooled));
  }
  TRY(check_between("files that a task gives new contents", static_cast<int64_t>(request.outputs.size()), 0,
                    kMaxTaskOutputs));
  ASSIGN(own.outputs, from_wire(request.outputs));
  return own;
}

thrift::FinishJobRequest to_wire(const FinishJob& request, const Mutation& mutation) {
  thrift::FinishJobRequest wire;
  wire.mutation = to_wire(mutation);
  wire.ref = to_wire(request.ref);
  wire.server = static_cast<int32_t>(raw(request.server));
  wire.counters = to_wire(request.counters);
  wire.inode = to_wire_id(request.inode);
  return wire;
}
Result<FinishJob> from_wire(const thrift::FinishJobRequest& request) {
  FinishJob own;
  ASSIGN(own.ref, from_wire(request.ref));
  if (own.ref.phase != JobPhase::merging) return invalid("a job is finished by its merging task");
  own.server = from_wire_id<ServerId>(request.server);
  ASSIGN(own.counters, attempt_counters(request.counters));
  TRY(check_inode(request.inode));
  own.inode = from_wire_id<InodeId>(request.inode);
  return own;
}

thrift::LostResultRequest to_wire(const LostResult& request, const Mutation& mutation) {
  thrift::LostResultRequest wire;
  wire.mutation = to_wire(mutation);
  wire.job = to_wire_id(request.job);
  wire.task = static_cast<int32_t>(request.task);
  wire.attempt = to_wire_id(request.attempt);
  return wire;
}
Result<LostResult> from_wire(const thrift::LostResultRequest& request) {
  TRY(check_job(request.job));
  TRY(check_between("a task", request.task, 0, kMaxJobTasks - 1));
  if (request.attempt == 0) return invalid("attempt 0");
  return LostResult{from_wire_id<JobId>(request.job), static_cast<uint32_t>(request.task),
                    from_wire_id<AttemptId>(request.attempt)};
}

// ---- requests that look, and polls ---------------------------------------------------------------------------------

thrift::TaskPollRequest to_wire(const TaskPoll& poll) {
  thrift::TaskPollRequest wire;
  wire.server = static_cast<int32_t>(raw(poll.server));
  wire.slots = static_cast<int32_t>(poll.slots);
  wire.running = to_wire(poll.running);
  wire.results = to_wire(poll.results);
  wire.wait_ms = static_cast<int32_t>(poll.wait / std::chrono::milliseconds(1));
  return wire;
}
Result<TaskPoll> from_wire(const thrift::TaskPollRequest& request) {
  if (request.server == 0) return invalid("a worker beside server 0");
  TRY(check_between("slots of a worker", request.slots, 0, kMaxTaskSlots));
  TRY(check_between("running tasks of a worker", static_cast<int64_t>(request.running.size()), 0, kMaxRunning));
  TRY(check_between("the wait of a poll in ms", request.wait_ms, 0, kMaxTaskPoll / std::chrono::milliseconds(1)));
  TaskPoll own;
  own.server = from_wire_id<ServerId>(request.server);
  own.slots = static_cast<uint32_t>(request.slots);
  ASSIGN(own.running, from_wire(request.running));
  ASSIGN(own.results, from_wire(request.results));
  own.wait = std::chrono::milliseconds(request.wait_ms);
  return own;
}

thrift::JobLayoutRequest to_wire(const JobLayoutCall& call) {
  thrift::JobLayoutRequest wire;
  wire.job = to_wire_id(call.job);
  wire.file = static_cast<int32_t>(call.file);
  wire.from_offset = static_cast<int64_t>(call.begin);
  wire.to_offset = static_cast<int64_t>(call.end);
  wire.limit = static_cast<int32_t>(call.limit);
  return wire;
}
Result<JobLayoutCall> from_wire(const thrift::JobLayoutRequest& request) {
  TRY(check_job(request.job));
  TRY(check_between("the file of a job", request.file, 0, kMaxJobInputs - 1));
  if (request.from_offset < 0 || request.to_offset < request.from_offset)
    return invalid(fmt::format("a layout of the bytes {} to {}", request.from_offset, request.to_offset));
  TRY(check_between("extents of one page", request.limit, 0, kMaxPage));
  return JobLayoutCall{from_wire_id<JobId>(request.job), static_cast<uint32_t>(request.file),
                       static_cast<uint64_t>(request.from_offset), static_cast<uint64_t>(request.to_offset),
                       static_cast<uint32_t>(request.limit)};
}

// ---- to a worker

thrift::FetchPartialRequest to_wire(const FetchPartialCall& call) {
  thrift::FetchPartialRequest wire;
  wire.ref = to_wire(call.ref);
  wire.offset = static_cast<int64_t>(call.offset);
  wire.limit = static_cast<int32_t>(call.limit);
  return wire;
}
Result<FetchPartialCall> from_wire(const thrift::FetchPartialRequest& request) {
  FetchPartialCall own;
  ASSIGN(own.ref, from_wire(request.ref));
  TRY(check_between("the offset of a partial", request.offset, 0, kMaxSpooledPartial));
  TRY(check_between("a piece of a partial", request.limit, 1, kMaxPartialPiece));
  own.offset = static_cast<uint64_t>(request.offset);
  own.limit = static_cast<uint32_t>(request.limit);
  return own;
}

}  // namespace cairn
