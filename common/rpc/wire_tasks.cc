// The values of thrift/task.thrift.
#include <fmt/format.h>

#include "common/rpc/wire.h"
#include "common/rpc/wire_task_checks.h"

namespace cairn {

using namespace wire_checks;

namespace {

constexpr size_t kMaxStateBytes = 16u << 20;

Result<JobPhase> task_phase_of(int32_t phase) { return phase_of(phase, JobPhase::surveying, JobPhase::merging); }

template <typename Generated>
Result<std::vector<TaskWindow>> windows_of(const Generated& wire) {
  TRY(check_between("windows of a task", static_cast<int64_t>(wire.windows.size()), 0, kMaxTaskWindows));
  return from_wire(wire.windows);
}

}  // namespace

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

thrift::TaskOutput to_wire(const TaskOutput& output) {
  thrift::TaskOutput wire;
  wire.file = static_cast<int32_t>(output.file);
  wire.inode = to_wire_id(output.inode);
  wire.if_version = static_cast<int64_t>(output.if_version);
  wire.reencoded = output.reencoded;
  return wire;
}
Result<TaskOutput> from_wire(const thrift::TaskOutput& output) {
  TRY(check_between("the file of an output", output.file, 0, kMaxJobInputs - 1));
  TRY(check_inode(output.inode));
  TRY(check_count("the version of a file", output.if_version));
  return TaskOutput{static_cast<uint32_t>(output.file), from_wire_id<InodeId>(output.inode),
                    static_cast<uint64_t>(output.if_version), output.reencoded};
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
  wire.results = to_wire(result.results);
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

}  // namespace cairn
