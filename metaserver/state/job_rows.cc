#include "metaserver/state/job_rows.h"

#include "metaserver/state/job_fields.h"
#include "metaserver/state/row_codec.h"

namespace cairn {

namespace {

bool usable(const std::optional<Error>& failure) {
  return !failure || (failure->code >= Errc::not_found && failure->code <= Errc::interrupted);
}

}  // namespace

bool usable(const JobStateRow& row) {
  return row.phase >= JobPhase::receiving && row.phase <= JobPhase::cancelled && usable(row.failure);
}
bool usable(const JobRow& row) {
  return row.task_bytes > 0 &&
         (!row.output || (row.output->format >= TableFormat::csv && row.output->format <= TableFormat::json_lines));
}
bool usable(const JobChunkRow& row) { return !row.data.empty() && row.data.size() <= kMaxDataShards; }
bool usable(const TaskRow& row) {
  for (const TaskWindow& window : row.windows) {
    if (window.begin > window.end) return false;
  }
  return true;
}

template <Of<TaskWindow> V>
auto fields(V& v) {
  return std::tie(v.file, v.begin, v.end);
}
template <Of<JobRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.op, v.arguments, v.inputs, v.output, v.task_bytes, v.time_limit_ms, v.submitted_ns,
                  v.whole_files, v.csv_heads, v.quote_states, v.whole_lines, v.task_files, v.anywhere);
}
template <Of<JobTally> V>
auto fields(V& v) {
  return std::tie(v.server, v.tasks, v.counters);
}
template <Of<JobStateRow> V>
auto fields(V& v) {
  return std::tie(v.phase, v.over_ns, v.failure, v.received, v.pinned, v.cursor_file, v.cursor_offset, v.pin_restarts,
                  v.bytes, v.tasks, v.to_survey, v.surveyed, v.mapped, v.states_set, v.inside_quotes, v.bytes_surveyed,
                  v.bytes_mapped, v.heads_bytes, v.result_bytes, v.inline_result_bytes, v.failures, v.merge_failures,
                  v.merges, v.output_inode, v.counters, v.servers, v.hidden_removed, v.pins_removed);
}
template <Of<JobFileRow> V>
auto fields(V& v) {
  return std::tie(v.inode, v.name, v.version, v.size, v.content, v.head);
}
template <Of<JobChunkRow> V>
auto fields(V& v) {
  return std::tie(v.data);
}
template <Of<TaskRow> V>
auto fields(V& v) {
  return std::tie(v.batch, v.owner, v.whole, v.windows, v.splits, v.bytes, v.bytes_owned, v.needs_survey, v.surveyed,
                  v.odd_quotes, v.states, v.done, v.server, v.attempt, v.spooled, v.result_bytes, v.failed_on);
}
template <Of<TaskResultRow> V>
auto fields(V& v) {
  return std::tie(v.partial);
}
template <Of<LiveJob> V>
auto fields(V& v) {
  return std::tie(v.job, v.pinned_ns);
}
template <Of<JobsRow> V>
auto fields(V& v) {
  return std::tie(v.next_job, v.live);
}

CAIRN_ROW(JobRow);
CAIRN_ROW(JobStateRow);
CAIRN_ROW(JobFileRow);
CAIRN_ROW(JobChunkRow);
CAIRN_ROW(TaskRow);
CAIRN_ROW(TaskResultRow);
CAIRN_ROW(JobsRow);

std::string hidden_name(JobId job, AttemptId attempt) {
  return fmt::format(".cairn-job-{}.{}", raw(job), raw(attempt));
}

}  // namespace cairn
