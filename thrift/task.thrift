// Near-data tasks: what submitters and workers ask of the metaserver, and what is asked of a worker.
//
// docs/tasks.md has the picture, docs/protocol.md the rules of the calls; common/meta/jobs.h says what each field
// means, in which unit and within which bounds.
namespace cpp cairn.thrift
include "types.thrift"

// Fields hold these as i32: a number from outside that is none of them must stay a number until it has been checked.
enum JobPhase {
  receiving = 1, planning = 2, surveying = 3, mapping = 4, merging = 5, done = 6, failed = 7, cancelled = 8
}
enum TableFormat { csv = 1, json_lines = 2 }
enum TaskVerdict { accepted = 1, already = 2, dropped = 3, changed = 4 }

// ---- jobs

struct JobOutput {
  1: i64 parent
  2: string name
  3: bool replace
  4: i32 format           // TableFormat
  5: i32 mode             // permission bits
  6: i32 uid
  7: i32 gid
}
struct JobRequest {
  1: types.Mutation mutation
  2: string op
  3: map<string, string> arguments
  4: i32 inputs           // so many follow by add_job_inputs
  5: optional JobOutput output
  6: i64 task_bytes
  7: i64 time_limit_ms
}
struct JobReply { 1: optional types.Error error  2: optional i64 job }
struct JobInput { 1: i64 inode  2: string name }
struct JobInputsRequest { 1: types.Mutation mutation  2: i64 job  3: i32 first  4: list<JobInput> inputs }
struct CancelJobRequest { 1: types.Mutation mutation  2: i64 job }

struct TaskCounters {
  1: i64 bytes_local
  2: i64 bytes_network
  3: i64 bytes_decoded
  4: i64 bytes_sent
  5: i64 cpu_ms
}
struct PhaseCount { 1: i32 phase  2: i32 tasks  3: i32 done  4: i32 running }
struct ServerCounters { 1: i32 server  2: i32 tasks  3: i32 running  4: TaskCounters counters }
struct JobStatus {
  1: i64 job
  2: i32 phase
  3: optional types.Error failure     // of a job that failed
  4: string op
  5: i32 inputs
  6: i32 planned
  7: i64 bytes
  8: i64 bytes_done
  9: list<PhaseCount> phases
  10: TaskCounters counters
  11: i64 result_bytes
  12: i32 failures
  13: i32 extra_attempts
  14: i64 submitted_ms
  15: i64 elapsed_ms
  16: list<ServerCounters> servers
  17: list<string> changed
  18: i32 changed_count
  19: string waiting
  20: optional JobOutput output
  21: i64 output_inode
}
struct JobStatusRequest { 1: i64 session  2: i64 job }
struct JobStatusReply { 1: optional types.Error error  2: optional JobStatus status }
struct ListJobsRequest { 1: i64 session  2: i64 after  3: i32 limit }
struct ListJobsReply { 1: optional types.Error error  2: optional list<JobStatus> jobs  3: optional bool complete }

struct TaskWindow { 1: i32 file  2: i64 from_offset  3: i64 to_offset }
struct TaskInfo {
  1: i32 task
  2: i32 owner            // 0: anybody
  3: bool whole
  4: list<TaskWindow> windows
  5: i64 bytes
  6: i64 bytes_owned
  7: bool surveyed
  8: bool done
  9: i32 server           // that did it or does it; 0: none yet
  10: i32 failures
}
struct JobPlanRequest { 1: i64 session  2: i64 job  3: i32 first  4: i32 limit }
struct JobPlanReply { 1: optional types.Error error  2: optional list<TaskInfo> tasks  3: optional bool complete }

// ---- what a worker needs to know of a job

struct JobFile { 1: i64 inode  2: string name  3: i64 version  4: i64 size  5: string head }
struct JobDescriptionRequest { 1: i64 session  2: i64 job  3: i32 first  4: i32 limit }
struct JobDescriptionReply {
  1: optional types.Error error
  2: optional i32 phase
  3: optional string op
  4: optional map<string, string> arguments
  5: optional JobOutput output
  6: optional i32 inputs
  7: optional list<JobFile> files   // from `first` on
  8: optional bool complete
}
struct ChunkHolders { 1: i64 chunk  2: list<i32> data }
struct JobLayoutRequest { 1: i64 session  2: i64 job  3: i32 file  4: i64 from_offset  5: i64 to_offset  6: i32 limit }
struct JobLayoutReply {
  1: optional types.Error error
  2: optional i64 version
  3: optional i64 size
  4: optional list<types.Extent> extents
  5: optional list<types.Chunk> chunks
  6: optional list<ChunkHolders> holders
  7: optional binary inline_data
  8: optional i64 covered_until
}

// ---- tasks and workers

struct TaskRef { 1: i64 job  2: i32 phase  3: i32 task  4: i64 attempt }
struct RunningTask { 1: TaskRef ref  2: i64 bytes_done }
struct TaskPollRequest {
  1: i64 session
  2: i32 server
  3: i32 slots
  4: list<RunningTask> running
  5: types.Address results     // of its TaskWorker service; port 0: none
  6: i32 wait_ms
}
struct Assignment {
  1: TaskRef ref
  2: i32 owner
  3: bool whole
  4: list<TaskWindow> windows
  5: binary states
  6: optional JobOutput output  // of merging: hidden_name in its directory is to be written
  7: string hidden_name
}
struct TaskPollReply {
  1: optional types.Error error
  2: optional list<Assignment> start
  3: optional list<TaskRef> drop
}
struct FileHead { 1: i32 file  2: string text }
struct SpooledPartial { 1: i64 bytes  2: i32 crc32c }
struct TaskOutput {
  1: i32 file              // index in the job
  2: i64 inode             // without a name, written and synced: it gets the file's old content for its own
  3: i64 if_version        // only if the file has this version; 0: whatever it has
  4: bool reencoded        // the same bytes under another storage class
}
struct FinishTaskRequest {
  1: types.Mutation mutation
  2: TaskRef ref
  3: i32 server
  4: TaskCounters counters
  5: optional types.Error failure   // then nothing of what follows
  6: binary odd_quotes
  7: list<FileHead> heads
  8: binary partial
  9: optional SpooledPartial spooled
  10: list<TaskOutput> outputs     // at most 64
}
struct TaskVerdictReply { 1: optional types.Error error  2: optional i32 verdict }
struct FinishJobRequest {
  1: types.Mutation mutation
  2: TaskRef ref
  3: i32 server
  4: TaskCounters counters
  5: i64 inode
}

struct TaskResult {
  1: i32 task
  2: binary partial
  3: optional SpooledPartial spooled
  4: i32 server
  5: types.Address results    // of the worker that has it, if it is spooled; port 0: that worker is not there now
  6: i64 attempt
}
struct JobResultsRequest { 1: i64 session  2: i64 job  3: i32 first  4: i32 limit }
struct JobResultsReply {
  1: optional types.Error error
  2: optional list<TaskResult> results
  3: optional i32 next_task
  4: optional bool complete
}
struct LostResultRequest { 1: types.Mutation mutation  2: i64 job  3: i32 task  4: i64 attempt }

// Beside each chunkserver: partials that were too large for the metaserver.
struct FetchPartialRequest { 1: TaskRef ref  2: i64 offset  3: i32 limit }
struct FetchPartialReply { 1: optional types.Error error  2: optional binary bytes }
service TaskWorker {
  FetchPartialReply fetch_partial(1: FetchPartialRequest request)
}
