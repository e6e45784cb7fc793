// The rows of near-data jobs (rows.h has the rules of all rows; metadata_keys.h the keys).
//
//   what was asked     JobRow            once
//   how far it is      JobStateRow       changed by every command of the job, so it is small
//   its inputs         JobFileRow        told, then pinned: version, size, inline content; extents as ExtentRows
//   who held its data  JobChunkRow       when it was pinned: what the cut goes by
//   its tasks          TaskRow           what each is, whether it is done
//   their partials     TaskResultRow
//   all jobs           JobsRow           the next id, and which are alive
#pragma once

#include "common/meta/jobs.h"
#include "metaserver/state/rows.h"

namespace cairn {

struct JobRow {
  LogIndex birth{};
  std::string op;
  std::map<std::string, std::string> arguments;
  uint32_t inputs = 0;
  std::optional<JobOutput> output;
  uint64_t task_bytes = 0;
  int64_t time_limit_ms = 0;
  int64_t submitted_ns = 0;
  bool whole_files = false, csv_heads = false, quote_states = false, whole_lines = false;  // what its operator needs
  uint32_t task_files = 0;                                                                 // as AdmitJob has them
  bool anywhere = false;
};

struct JobTally {  // results of one server that counted
  ServerId server{};
  uint32_t tasks = 0;
  TaskCounters counters;
};
struct JobStateRow {
  JobPhase phase = JobPhase::receiving;
  int64_t over_ns = 0;
  std::optional<Error> failure;
  uint32_t received = 0, pinned = 0;  // inputs
  // Of pinning: how far input `pinned` is. Of cutting, when all are pinned: where the next window begins.
  uint32_t cursor_file = 0;
  uint64_t cursor_offset = 0;
  uint32_t pin_restarts = 0;  // an input changed while it was pinned
  uint64_t bytes = 0;         // of the pinned inputs
  uint32_t tasks = 0;
  uint32_t to_survey = 0, surveyed = 0, mapped = 0;  // tasks
  uint32_t states_set = 0;                           // tasks, from the first on
  bool inside_quotes = false;                        // behind the last split of those
  uint64_t bytes_surveyed = 0, bytes_mapped = 0;
  uint64_t heads_bytes = 0, result_bytes = 0, inline_result_bytes = 0;
  uint32_t failures = 0, merge_failures = 0;  // of attempts
  std::vector<AttemptId> merges;              // attempts that may have made a hidden file
  InodeId output_inode{};
  TaskCounters counters;
  std::vector<JobTally> servers;  // ascending
  bool hidden_removed = false;    // of a job that is over: no hidden file is left
  bool pins_removed = false;
};

struct JobFileRow {
  InodeId inode{};
  std::string name;
  uint64_t version = 0;  // 0: not pinned yet
  uint64_t size = 0;
  std::optional<std::string> content;  // inline; then no extents
  std::string head;
};
struct JobChunkRow {
  std::vector<ServerId> data;  // of data shard 0, 1, ...
};

struct TaskRow {
  uint32_t batch = 0;  // the first task that was cut together with it: they share windows
  ServerId owner{};
  bool whole = false;
  std::vector<TaskWindow> windows;
  uint32_t splits = 0;
  uint64_t bytes = 0, bytes_owned = 0;
  bool needs_survey = false, surveyed = false;
  std::string odd_quotes;  // of each split, as FinishTask has them
  std::string states;      // of each split, as Assignment has them
  bool done = false;
  ServerId server{};    // whose result counted
  AttemptId attempt{};  // that made it
  std::optional<SpooledPartial> spooled;
  uint32_t result_bytes = 0;        // of an inline partial
  std::vector<ServerId> failed_on;  // one for each failure
};
struct TaskResultRow {
  std::string partial;
};

struct LiveJob {
  JobId job{};
  int64_t pinned_ns = 0;  // what died later than that is kept for it; 0: it has pinned nothing yet
};
struct JobsRow {
  uint64_t next_job = 1;
  std::vector<LiveJob> live;  // ascending
};

// The file that an attempt of merging makes, in the output's directory.
std::string hidden_name(JobId job, AttemptId attempt);

}  // namespace cairn
