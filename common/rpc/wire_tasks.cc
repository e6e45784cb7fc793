// The messages of thrift/task.thrift.
#include <fmt/format.h>

#include "common/rpc/wire.h"
#include "common/rpc/wire_checks.h"
#include "common/tasks/job.h"

namespace cairn {

using namespace wire_checks;

namespace {

constexpr int32_t kMaxPage = INT32_MAX;  // who answers bounds pages itself
constexpr size_t kMaxFailureBytes = 4096;
constexpr size_t kMaxRunning = 4096;  // that one poll names: those of an earlier run included
constexpr size_t kMaxStateBytes = 16u << 20;

Status check_between(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) return invalid(fmt::format("{} {}; it is {} to {}", field, value, low, high));
  return {};
}
Status check_count(const char* field, int64_t value) { return check_between(field, value, 0, INT64_MAX); }
Status check_job(int64_t job) { return job == 0 ? Status(invalid("job 0")) : Status(); }
Status check_size(const char* field, size_t bytes, size_t limit) {
  if (bytes > limit) return Error{Errc::too_big, fmt::format("{} of {} bytes; at most {}", field, bytes, limit)};
  return {};
}
Result<JobPhase> phase_of(int32_t phase, JobPhase first, JobPhase last) {
  TRY(check_between("the phase of a job", phase, static_cast<int>(first), static_cast<int>(last)));
  return static_cast<JobPhase>(phase);
}
Result<JobPhase> task_phase_of(int32_t phase) { return phase_of(phase, JobPhase::surveying, JobPhase::merging); }
Result<std::string> op_of(const std::string& op) {
  TRY(check_text("operator", op, kMaxLabelBytes));
  if (op.empty()) return invalid("a job without an operator");
  return op;
}
Result<std::map<std::string, std::string>> arguments_of(const std::map<std::string, std::string>& arguments) {
  if (arguments.size() > kMaxJobArguments)
    return Error{Errc::too_big, fmt::format("{} arguments of a job; at most {}", arguments.size(), kMaxJobArguments)};
  size_t bytes = 0;
  for (const auto& [name, text] : arguments) {
    TRY(check_size("an argument", text.size(), tasks::kMaxArgumentBytes));
    bytes += name.size() + text.size();
  }
  TRY(check_size("arguments", bytes, kMaxJobArgumentBytes));
  return arguments;
}
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
// An address that may be missing.
thrift::Address somewhere(const Address& address) { return to_wire(address); }

template <typename Generated>
Result<std::vector<TaskWindow>> windows_of(const Generated& wire) {
  TRY(check_between("windows of a task", static_cast<int64_t>(wire.windows.size()), 0, kMaxTaskWindows));
  return from_wire(wire.windows);
}

}  // namespace

// ---- values --------------------------------------------------------------------------------------------------------

thrift::JobOutput to_wire(const JobOutput& output) {
  thrift::JobOutput wire;
  wire.parent = to_wire_id(output.parent);
  wire.name = output.name;
  wire.replace = output.replace;
  wire.format = static_cast<int32_t>(output.format);
  wire.mode = static_cast<int32_t>(output.mode);
  wire.uid = static_cast<int32_t>(output.uid);
  wire.gid = static_cast<int32_t>(output.gid);
  return wire;
}
Result<JobOutput> from_wire(const thrift::JobOutput& output) {
  TRY(check_inode(output.parent));
  TRY(check_name(output.name));
  TRY(check_between("the format of a table", output.format, static_cast<int>(TableFormat::csv),
                    static_cast<int>(TableFormat::json_lines)));
  TRY(check_between("permissions", output.mode, 0, 0777));
  return JobOutput{from_wire_id<InodeId>(output.parent),
                   output.name,
                   output.replace,
                   static_cast<TableFormat>(output.format),
                   static_cast<uint32_t>(output.mode),
                   static_cast<uint32_t>(output.uid),
                   static_cast<uint32_t>(output.gid)};
}

thrift::JobInput to_wire(const JobInput& input) {
  thrift::JobInput wire;
  wire.inode = to_wire_id(input.inode);
  wire.name = input.name;
  return wire;
}
Result<JobInput> from_wire(const thrift::JobInput& input) {
  TRY(check_inode(input.inode));
  TRY(check_text("name of an input", input.name, kMaxInputNameBytes));
  return JobInput{from_wire_id<InodeId>(input.inode), input.name};
}

thrift::TaskCounters to_wire(const TaskCounters& counters) {
  thrift::TaskCounters wire;
  wire.bytes_local = static_cast<int64_t>(counters.bytes_local);
  wire.bytes_network = static_cast<int64_t>(counters.bytes_network);
  wire.bytes_decoded = static_cast<int64_t>(counters.bytes_decoded);
  wire.bytes_sent = static_cast<int64_t>(counters.bytes_sent);
  wire.cpu_ms = static_cast<int64_t>(counters.cpu_ms);
  return wire;
}
Result<TaskCounters> from_wire(const thrift::TaskCounters& counters) {
  for (const int64_t one :
       {counters.bytes_local, counters.bytes_network, counters.bytes_decoded, counters.bytes_sent, counters.cpu_ms})
    TRY(check_count("the counter of a task", one));
  return TaskCounters{static_cast<uint64_t>(counters.bytes_local), static_cast<uint64_t>(counters.bytes_network),
                      static_cast<uint64_t>(counters.bytes_decoded), static_cast<uint64_t>(counters.bytes_sent),
                      static_cast<uint64_t>(counters.cpu_ms)};
}

thrift::PhaseCount to_wire(const PhaseCount& count) {
  thrift::PhaseCount wire;
  wire.phase = static_cast<int32_t>(count.phase);
  wire.tasks = static_cast<int32_t>(count.tasks);
  wire.done = static_cast<int32_t>(count.done);
  wire.running = static_cast<int32_t>(count.running);
  return wire;
}
Result<PhaseCount> from_wire(const thrift::PhaseCount& count) {
  ASSIGN(const JobPhase phase, task_phase_of(count.phase));
  for (const int32_t one : {count.tasks, count.done, count.running}) TRY(check_count("a number of tasks", one));
  return PhaseCount{phase, static_cast<uint32_t>(count.tasks), static_cast<uint32_t>(count.done),
                    static_cast<uint32_t>(count.running)};
}

thrift::ServerCounters to_wire(const ServerCounters& server) {
  thrift::ServerCounters wire;
  wire.server = static_cast<int32_t>(raw(server.server));
  wire.tasks = static_cast<int32_t>(server.tasks);
  wire.running = static_cast<int32_t>(server.running);
  wire.counters = to_wire(server.counters);
  return wire;
}
Result<ServerCounters> from_wire(const thrift::ServerCounters& server) {
  TRY(check_count("a number of tasks", server.tasks));
  TRY(check_count("a number of tasks", server.running));
  ASSIGN(const TaskCounters counters, from_wire(server.counters));
  return ServerCounters{from_wire_id<ServerId>(server.server), static_cast<uint32_t>(server.tasks),
                        static_cast<uint32_t>(server.running), counters};
}

thrift::JobStatus to_wire(const JobStatus& status) {
  thrift::JobStatus wire;
  wire.job = to_wire_id(status.job);
  wire.phase = static_cast<int32_t>(status.phase);
  if (status.failure) wire.__set_failure(to_wire(*status.failure));
  wire.op = status.op;
  wire.inputs = static_cast<int32_t>(status.inputs);
  wire.planned = static_cast<int32_t>(status.planned);
  wire.bytes = static_cast<int64_t>(status.bytes);
  wire.bytes_done = static_cast<int64_t>(status.bytes_done);
  wire.phases = to_wire(status.phases);
  wire.counters = to_wire(status.counters);
  wire.result_bytes = static_cast<int64_t>(status.result_bytes);
  wire.failures = static_cast<int32_t>(status.failures);
  wire.extra_attempts = static_cast<int32_t>(status.extra_attempts);
  wire.submitted_ms = status.submitted_ms;
  wire.elapsed_ms = status.elapsed_ms;
  wire.servers = to_wire(status.servers);
  wire.changed = status.changed;
  wire.changed_count = static_cast<int32_t>(status.changed_count);
  wire.waiting = status.waiting;
  if (status.output) wire.__set_output(to_wire(*status.output));
  wire.output_inode = to_wire_id(status.output_inode);
  return wire;
}
Result<JobStatus> from_wire(const thrift::JobStatus& status) {
  TRY(check_job(status.job));
  JobStatus own;
  own.job = from_wire_id<JobId>(status.job);
  ASSIGN(own.phase, phase_of(status.phase, JobPhase::receiving, JobPhase::cancelled));
  if (status.__isset.failure) own.failure = from_wire(status.failure);
  own.op = status.op;
  for (const int64_t one :
       {int64_t{status.inputs}, int64_t{status.planned}, status.bytes, status.bytes_done, status.result_bytes,
        int64_t{status.failures}, int64_t{status.extra_attempts}, int64_t{status.changed_count}})
    TRY(check_count("a number of a job", one));
  own.inputs = static_cast<uint32_t>(status.inputs);
  own.planned = static_cast<uint32_t>(status.planned);
  own.bytes = static_cast<uint64_t>(status.bytes);
  own.bytes_done = static_cast<uint64_t>(status.bytes_done);
  ASSIGN(own.phases, from_wire(status.phases));
  ASSIGN(own.counters, from_wire(status.counters));
  own.result_bytes = static_cast<uint64_t>(status.result_bytes);
  own.failures = static_cast<uint32_t>(status.failures);
  own.extra_attempts = static_cast<uint32_t>(status.extra_attempts);
  own.submitted_ms = status.submitted_ms;
  own.elapsed_ms = status.elapsed_ms;
  ASSIGN(own.servers, from_wire(status.servers));
  own.changed = status.changed;
  own.changed_count = static_cast<uint32_t>(status.changed_count);
  own.waiting = status.waiting;
  if (status.__isset.output) {
    ASSIGN(own.output, from_wire(status.output));
  }
  own.output_inode = from_wire_id<InodeId>(status.output_inode);
  return own;
}

thrift::TaskWindow to_wire(const TaskWindow& window) {
  thrift::TaskWindow wire;
  wire.file = static_cast<int32_t>(window.file);
  wire.from_offset = static_cast<int64_t>(window.begin);
  wire.to_offset = static_cast<int64_t>(window.end);
  return wire;
}
Result<TaskWindow> from_wire(const thrift::TaskWindow& window) {
  TRY(check_between("the file of a window", window.file, 0, kMaxJobInputs - 1));
  if (window.from_offset < 0 || window.to_offset < window.from_offset)
    return invalid(fmt::format("a window of the bytes {} to {}", window.from_offset, window.to_offset));
  return TaskWindow{static_cast<uint32_t>(window.file), static_cast<uint64_t>(window.from_offset),
                    static_cast<uint64_t>(window.to_offset)};
}

thrift::TaskInfo to_wire(const TaskInfo& task) {
  thrift::TaskInfo wire;
  wire.task = static_cast<int32_t>(task.task);
  wire.owner = static_cast<int32_t>(raw(task.owner));
  wire.whole = task.whole;
  wire.windows = to_wire(task.windows);
  wire.bytes = static_cast<int64_t>(task.bytes);
  wire.bytes_owned = static_cast<int64_t>(task.bytes_owned);
  wire.surveyed = task.surveyed;
  wire.done = task.done;
  wire.server = static_cast<int32_t>(raw(task.server));
  wire.failures = static_cast<int32_t>(task.failures);
  return wire;
}
Result<TaskInfo> from_wire(const thrift::TaskInfo& task) {
  TRY(check_between("a task", task.task, 0, kMaxJobTasks - 1));
  TRY(check_count("bytes of a task", task.bytes));
  TRY(check_between("bytes of a task on its owner", task.bytes_owned, 0, task.bytes));
  TRY(check_count("failures", task.failures));
  TaskInfo own;
  own.task = static_cast<uint32_t>(task.task);
  own.owner = from_wire_id<ServerId>(task.owner);
  own.whole = task.whole;
  ASSIGN(own.windows, windows_of(task));
  own.bytes = static_cast<uint64_t>(task.bytes);
  own.bytes_owned = static_cast<uint64_t>(task.bytes_owned);
  own.surveyed = task.surveyed;
  own.done = task.done;
  own.server = from_wire_id<ServerId>(task.server);
  own.failures = static_cast<uint32_t>(task.failures);
  return own;
}

thrift::JobFile to_wire(const JobFile& file) {
  thrift::JobFile wire;
  wire.inode = to_wire_id(file.inode);
  wire.name = file.name;
  wire.version = static_cast<int64_t>(file.version);
  wire.size = static_cast<int64_t>(file.size);
  wire.head = file.head;
  return wire;
}
Result<JobFile> from_wire(const thrift::JobFile& file) {
  TRY(check_inode(file.inode));
  TRY(check_text("name of an input", file.name, kMaxInputNameBytes));
  TRY(check_range(file.size, 0));
  TRY(check_size("the head of a file", file.head.size(), tasks::kMaxHeadBytes));
  return JobFile{from_wire_id<InodeId>(file.inode), file.name, static_cast<uint64_t>(file.version),
                 static_cast<uint64_t>(file.size), file.head};
}

thrift::ChunkHolders to_wire(const ChunkHolders& holders) {
  thrift::ChunkHolders wire;
  wire.chunk = to_wire_id(holders.chunk);
  for (const ServerId server : holders.data) wire.data.push_back(static_cast<int32_t>(raw(server)));
  return wire;
}
Result<ChunkHolders> from_wire(const thrift::ChunkHolders& holders) {
  TRY(check_chunk(holders.chunk));
  TRY(check_between("holders of a chunk", static_cast<int64_t>(holders.data.size()), 1, kMaxDataShards));
  ChunkHolders own{from_wire_id<ChunkId>(holders.chunk), {}};
  for (const int32_t server : holders.data) own.data.push_back(from_wire_id<ServerId>(server));
  return own;
}

thrift::TaskRef to_wire(const TaskRef& ref) {
  thrift::TaskRef wire;
  wire.job = to_wire_id(ref.job);
  wire.phase = static_cast<int32_t>(ref.phase);
  wire.task = static_cast<int32_t>(ref.task);
  wire.attempt = to_wire_id(ref.attempt);
  return wire;
}
Result<TaskRef> from_wire(const thrift::TaskRef& ref) {
  TRY(check_job(ref.job));
  ASSIGN(const JobPhase phase, task_phase_of(ref.phase));
  TRY(check_between("a task", ref.task, 0, kMaxJobTasks - 1));
  if (ref.attempt == 0) return invalid("attempt 0");
  return TaskRef{from_wire_id<JobId>(ref.job), phase, static_cast<uint32_t>(ref.task),
                 from_wire_id<AttemptId>(ref.attempt)};
}

thrift::RunningTask to_wire(const RunningTask& running) {
  thrift::RunningTask wire;
  wire.ref = to_wire(running.ref);
  wire.bytes_done = static_cast<int64_t>(running.bytes_done);
  return wire;
}
Result<RunningTask> from_wire(const thrift::RunningTask& running) {
  ASSIGN(const TaskRef ref, from_wire(running.ref));
  TRY(check_count("bytes of an attempt", running.bytes_done));
  return RunningTask{ref, static_cast<uint64_t>(running.bytes_done)};
}

thrift::Assignment to_wire(const Assignment& assignment) {
  thrift::Assignment wire;
  wire.ref = to_wire(assignment.ref);
  wire.owner = static_cast<int32_t>(raw(assignment.owner));
  wire.whole = assignment.whole;
  wire.windows = to_wire(assignment.windows);
  wire.states = assignment.states;
  if (assignment.output) wire.__set_output(to_wire(*assignment.output));
  wire.hidden_name = assignment.hidden_name;
  return wire;
}
Result<Assignment> from_wire(const thrift::Assignment& assignment) {
  Assignment own;
  ASSIGN(own.ref, from_wire(assignment.ref));
  own.owner = from_wire_id<ServerId>(assignment.owner);
  own.whole = assignment.whole;
  ASSIGN(own.windows, windows_of(assignment));
  TRY(check_size("states", assignment.states.size(), kMaxStateBytes));
  own.states = assignment.states;
  if (assignment.__isset.output) {
    ASSIGN(own.output, from_wire(assignment.output));
    TRY(check_name(assignment.hidden_name));
  }
  own.hidden_name = assignment.hidden_name;
  return own;
}

thrift::FileHead to_wire(const FileHead& head) {
  thrift::FileHead wire;
  wire.file = static_cast<int32_t>(head.file);
  wire.text = head.text;
  return wire;
}
Result<FileHead> from_wire(const thrift::FileHead& head) {
  TRY(check_between("the file of a head", head.file, 0, kMaxJobInputs - 1));
  TRY(check_size("the head of a file", head.text.size(), tasks::kMaxHeadBytes));
  return FileHead{static_cast<uint32_t>(head.file), head.text};
}

thrift::SpooledPartial to_wire(const SpooledPartial& spooled) {
  thrift::SpooledPartial wire;
  wire.bytes = static_cast<int64_t>(spooled.bytes);
  wire.crc32c = static_cast<int32_t>(spooled.crc32c);
  return wire;
}
Result<SpooledPartial> from_wire(const thrift::SpooledPartial& spooled) {
  TRY(check_between("bytes of a spooled partial", spooled.bytes, 1, kMaxSpooledPartial));
  return SpooledPartial{static_cast<uint64_t>(spooled.bytes), static_cast<uint32_t>(spooled.crc32c)};
}

thrift::TaskResult to_wire(const TaskResult& result) {
  thrift::TaskResult wire;
  wire.task = static_cast<int32_t>(result.task);
  wire.partial = result.partial;
  if (result.spooled) wire.__set_spooled(to_wire(*result.spooled));
  wire.server = static_cast<int32_t>(raw(result.server));
  wire.results = somewhere(result.results);
  wire.attempt = to_wire_id(result.attempt);
  return wire;
}
Result<TaskResult> from_wire(const thrift::TaskResult& result) {
  TRY(check_between("a task", result.task, 0, kMaxJobTasks - 1));
  TRY(check_size("a partial", result.partial.size(), kMaxInlinePartial));
  TaskResult own;
  own.task = static_cast<uint32_t>(result.task);
  own.partial = result.partial;
  if (result.__isset.spooled) {
    ASSIGN(own.spooled, from_wire(result.spooled));
  }
  own.server = from_wire_id<ServerId>(result.server);
  ASSIGN(own.results, from_wire(result.results));
  own.attempt = from_wire_id<AttemptId>(result.attempt);
  return own;
}

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
  wire.results = somewhere(poll.results);
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

// ---- replies -------------------------------------------------------------------------------------------------------

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
                      static_cast<int>(TaskVerdict::dropped)));
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

void fill_reply(thrift::FetchPartialReply& reply, const std::string& bytes) { reply.__set_bytes(bytes); }
Result<std::string> from_wire(const thrift::FetchPartialReply& reply) {
  return unpack(reply, reply.__isset.bytes, [&]() -> Result<std::string> {
    TRY(check_size("a piece of a partial", reply.bytes.size(), kMaxPartialPiece));
    return reply.bytes;
  });
}

}  // namespace cairn
