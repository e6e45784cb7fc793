// Jobs of near-data tasks on a cluster, in our own types: what submitters, workers and the metaserver say to each other
// (thrift/task.thrift).
//
//   receiving --all inputs told--> planning --> [surveying] --> mapping --> [merging] --> done
//        \------------------------------------------------------------------------------> failed | cancelled
//
// Inputs are pinned while a job is planned: version, size, extents. All that follows is about the pinned bytes, so a
// task's result is the same whoever makes it, and the first one counts.
// Not here: operators and their partials (common/tasks), how a task's windows become splits
// (common/stripe/held_ranges).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/types.h"
#include "common/meta/cluster.h"
#include "common/stripe/geometry.h"
#include "common/stripe/held_ranges.h"

namespace cairn {

enum class JobId : uint64_t {};      // ascending, never reused; 0 is none
enum class AttemptId : uint64_t {};  // of a task: ascending over all tasks and over restarts; 0 is none

inline constexpr uint32_t kMaxLiveJobs = 64;       // not yet done, failed or cancelled
inline constexpr uint32_t kMaxJobInputs = 65'536;  // files of a job
inline constexpr uint32_t kMaxJobTasks = 100'000;
inline constexpr uint32_t kMaxInputsPage = 4096;      // of one add_job_inputs
inline constexpr uint32_t kMaxInputNameBytes = 4096;  // as the user wrote it
inline constexpr uint32_t kMaxJobArguments = 64;      // each at most 64 KiB (common/tasks/job.h), together
inline constexpr uint32_t kMaxJobArgumentBytes = 256u << 10;
inline constexpr uint32_t kMaxTaskWindows = 1024;        // of one task
inline constexpr uint32_t kMaxWindowExtents = 2048;      // one job_layout answers for a whole window
inline constexpr uint32_t kMaxInlinePartial = 1u << 20;  // bytes; a larger one is spooled by its worker
inline constexpr uint64_t kMaxSpooledPartial = 512u << 20;
inline constexpr uint64_t kMaxResultBytes = 512u << 20;  // of a job, inside the metaserver
inline constexpr uint32_t kMaxHeadsBytes = 4u << 20;     // of one task's answer; each at most 1 MiB
inline constexpr uint32_t kMaxTaskOutputs = 64;          // files that one task gives new contents
inline constexpr uint32_t kMaxTaskSlots = 256;           // of one worker
inline constexpr uint32_t kMaxTaskFailures = 4;          // the fourth fails the job
inline constexpr uint64_t kMinTaskBytes = 64u << 10, kMaxTaskBytes = 16ull << 30;
inline constexpr uint64_t kDefaultTaskBytes = 64u << 20;
inline constexpr Duration kDefaultJobTime = std::chrono::hours(24);
inline constexpr Duration kMaxJobTime = std::chrono::hours(24 * 7);
inline constexpr Duration kMaxTaskPoll = std::chrono::seconds(10);

enum class JobPhase : uint8_t {
  receiving = 1,  // its inputs are being told
  planning,       // inputs are pinned and cut into tasks
  surveying,      // heads and quotes of CSV
  mapping,
  merging,  // one worker merges the partials and writes the output
  done,
  failed,
  cancelled,
};
inline bool is_over(JobPhase phase) { return phase >= JobPhase::done; }
inline const char* name_of(JobPhase phase) {
  constexpr const char* kNames[] = {"",        "receiving", "planning", "surveying", "mapping",
                                    "merging", "done",      "failed",   "cancelled"};
  return kNames[static_cast<size_t>(phase)];
}

enum class TableFormat : uint8_t { csv = 1, json_lines = 2 };

// Where the table goes: a file that appears under this name when the job is done.
struct JobOutput {
  InodeId parent{};
  std::string name;
  bool replace = false;  // otherwise a file that has the name already fails the job
  TableFormat format = TableFormat::csv;
  uint32_t mode = 0644;  // permission bits
  uint32_t uid = 0, gid = 0;
  bool operator==(const JobOutput&) const = default;
};

struct SubmitJob {  // -> JobId
  std::string op;
  std::map<std::string, std::string> arguments;
  uint32_t inputs = 0;              // 1 .. kMaxJobInputs; so many follow
  std::optional<JobOutput> output;  // none: the partials are kept for job_results
  uint64_t task_bytes = kDefaultTaskBytes;
  int64_t time_limit_ms = kDefaultJobTime / std::chrono::milliseconds(1);
};
struct JobInput {
  InodeId inode{};
  std::string name;  // for people and for the table: as the user wrote it
  bool operator==(const JobInput&) const = default;
};
struct AddJobInputs {  // after the last one the job is planned. A page that was told already changes nothing.
  JobId job{};
  uint32_t first = 0;  // index of the first one within the job; the next one, or told already
  std::vector<JobInput> inputs;
};
struct CancelJob {  // one that is over stays as it is
  JobId job{};
};

// Of one attempt, or sums.
struct TaskCounters {
  uint64_t bytes_local = 0;    // read from the disk beside the worker
  uint64_t bytes_network = 0;  // read from other chunkservers, counted at the sockets
  uint64_t bytes_decoded = 0;  // made from parity
  uint64_t bytes_sent = 0;     // of results
  uint64_t cpu_ms = 0;
  bool operator==(const TaskCounters&) const = default;
  TaskCounters& operator+=(const TaskCounters& other) {
    bytes_local += other.bytes_local;
    bytes_network += other.bytes_network;
    bytes_decoded += other.bytes_decoded;
    bytes_sent += other.bytes_sent;
    cpu_ms += other.cpu_ms;
    return *this;
  }
};
struct PhaseCount {
  JobPhase phase = JobPhase::mapping;  // surveying, mapping or merging
  uint32_t tasks = 0, done = 0, running = 0;
};
struct ServerCounters {
  ServerId server{};
  uint32_t tasks = 0;  // results that counted
  uint32_t running = 0;
  TaskCounters counters;
};
struct JobStatus {
  JobId job{};
  JobPhase phase = JobPhase::receiving;
  std::optional<Error> failure;  // of a failed job
  std::string op;
  uint32_t inputs = 0, planned = 0;     // files
  uint64_t bytes = 0;                   // of the files that are planned
  uint64_t bytes_done = 0;              // of this phase, with what running attempts say
  std::vector<PhaseCount> phases;       // those that the job has, in order
  TaskCounters counters;                // of results that counted
  uint64_t result_bytes = 0;            // of partials, in the metaserver or spooled
  uint32_t failures = 0;                // of attempts
  uint32_t extra_attempts = 0;          // started beside a slow one, in this run of the metaserver
  int64_t submitted_ms = 0;             // since 1970
  int64_t elapsed_ms = 0;               // until now, or until it was over
  std::vector<ServerCounters> servers;  // ascending
  std::vector<std::string> changed;     // inputs that have another version now; their first 100
  uint32_t changed_count = 0;
  std::string waiting;  // why nothing runs, if nothing does; a sentence
  std::optional<JobOutput> output;
  InodeId output_inode{};  // of a job with an output that is done
};
struct JobList {
  std::vector<JobStatus> jobs;  // ascending; without servers and changed
  bool complete = true;
};

// ---- tasks ---------------------------------------------------------------------------------------------------------

// A range of a file. What of it belongs to a task is what lies on the task's owner: held_ranges.h.
struct TaskWindow {
  uint32_t file = 0;  // index in the job
  uint64_t begin = 0, end = 0;
  bool operator==(const TaskWindow&) const = default;
};
struct TaskInfo {
  uint32_t task = 0;                // index in the job
  ServerId owner{};                 // 0: what lies nowhere (holes, inline files)
  bool whole = false;               // each window is one split, a whole file, wherever its bytes lie
  std::vector<TaskWindow> windows;  // ascending
  uint64_t bytes = 0;               // of its splits
  uint64_t bytes_owned = 0;         // that lie on the owner; the others travel
  bool surveyed = false, done = false;
  ServerId server{};  // that did it or does it; 0: none yet
  uint32_t failures = 0;
};
struct JobPlan {
  std::vector<TaskInfo> tasks;
  bool complete = true;
};

struct JobFile {
  InodeId inode{};
  std::string name;
  uint64_t version = 0;  // that is pinned; 0: not planned yet
  uint64_t size = 0;
  std::string head;  // the first CSV record, once the survey is over, for operators that need it
};
struct JobDescription {
  JobPhase phase = JobPhase::receiving;
  std::string op;
  std::map<std::string, std::string> arguments;
  std::optional<JobOutput> output;
  uint32_t inputs = 0;
  std::vector<JobFile> files;  // from the index that was asked for on
  bool complete = true;
};
struct JobLayout {
  uint64_t version = 0, size = 0;          // of the file, pinned
  std::vector<Extent> extents;             // ascending, overlapping the range that was asked for; pinned
  std::vector<ChunkInfo> chunks;           // each that the extents name: where its shards are now
  std::vector<ChunkHolders> holders;       // of the same chunks: who held their data cells when the job was cut
  std::optional<std::string> inline_data;  // the whole content of a small file; then no extents
  uint64_t covered_until = 0;              // the answer is complete up to here. A whole window always is.
};

struct TaskRef {
  JobId job{};
  JobPhase phase = JobPhase::mapping;  // surveying, mapping or merging
  uint32_t task = 0;                   // of merging: 0
  AttemptId attempt{};
  auto operator<=>(const TaskRef&) const = default;
};
struct RunningTask {
  TaskRef ref;
  uint64_t bytes_done = 0;
};
// A worker says all that it runs. What it was given and does not name is taken to be lost, and given to another.
struct TaskPoll {
  ServerId server{};   // the chunkserver it stands beside
  uint32_t slots = 0;  // tasks at once, the running ones included
  std::vector<RunningTask> running;
  Address results;  // where partials that it spooled are fetched; port 0: nowhere
  Duration wait{};  // the answer comes after this at the latest; at most kMaxTaskPoll
};
struct Assignment {
  TaskRef ref;
  ServerId owner{};
  bool whole = false;
  std::vector<TaskWindow> windows;
  // Of mapping, for operators that need it: bit i (of byte i / 8, the lowest first) says that split i of the task, in
  // the order of windows and held_ranges, starts inside quotes.
  std::string states;
  std::optional<JobOutput> output;  // of merging
  std::string hidden_name;          // of merging: the file to write, in the output's directory
};
struct TaskOrders {
  std::vector<Assignment> start;
  std::vector<TaskRef> drop;  // stop these; nobody wants their results
};

struct FileHead {
  uint32_t file = 0;
  std::string text;  // the first CSV record with its line end; empty for an empty file
};
struct SpooledPartial {
  uint64_t bytes = 0;  // 1 .. kMaxSpooledPartial
  uint32_t crc32c = 0;
  bool operator==(const SpooledPartial&) const = default;
};
// A content that the command which ends a task gives to one of its files: that of an anonymous inode (MakeAnonymous),
// which gets the file's old one for it and ends with its session. The file keeps its inode, names, mode, owner and
// xattrs.
struct TaskOutput {
  uint32_t file = 0;        // index in the job
  InodeId inode{};          // the anonymous one: written and synced
  uint64_t if_version = 0;  // only if the file has this version; 0: whatever it has
  bool reencoded = false;   // the same bytes under another storage class, which goes along; mtime stays
  bool operator==(const TaskOutput&) const = default;
};
// How an attempt ended. invalid and corrupt are what every other attempt would find too, and fail the job at once;
// after any other failure the task is tried elsewhere.
struct FinishTask {  // -> TaskVerdict
  TaskRef ref;
  ServerId server{};
  TaskCounters counters;
  std::optional<Error> failure;
  std::string odd_quotes;       // of surveying: bit i says that split i has an odd number of quotes; as in states
  std::vector<FileHead> heads;  // of surveying: of the files that begin in one of the task's splits
  std::string partial;          // of mapping, up to kMaxInlinePartial
  std::optional<SpooledPartial> spooled;  // of mapping, instead of partial
  std::vector<TaskOutput> outputs = {};   // of mapping, with a partial: all are taken over, or none
};
struct FinishJob {  // -> TaskVerdict. The hidden file gets the output's name and the job is done, or nothing of both.
  TaskRef ref;
  ServerId server{};
  TaskCounters counters;
  InodeId inode{};  // the hidden file's: written and synced
};
enum class TaskVerdict : uint8_t {
  accepted = 1,
  already = 2,  // the task has a result: nothing is wrong
  dropped = 3,  // the job is over, or in another phase: what was written for it can go
  changed = 4,  // nothing was done: a file of the outputs is gone, or has not the version that was asked for
};

struct TaskResult {
  uint32_t task = 0;
  std::string partial;                    // or:
  std::optional<SpooledPartial> spooled;  // fetched from its worker
  ServerId server{};
  Address results;  // of that worker; port 0: it is not there now
  AttemptId attempt{};
};
struct JobResults {
  std::vector<TaskResult> results;  // ascending by task
  uint32_t next = 0;                // the task to ask from next
  bool complete = true;
};
// A spooled partial is gone, with its worker: the task is done again.
struct LostResult {
  JobId job{};
  uint32_t task = 0;
  AttemptId attempt{};  // whose partial is gone; another one that came meanwhile stays
};

}  // namespace cairn
