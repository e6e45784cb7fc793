// Tasks are cut from what is pinned; and, once all were surveyed, each is told where its splits start inside quotes.
#include <algorithm>
#include <set>

#include "common/meta/split_bits.h"
#include "metaserver/ops/jobs.h"
#include "metaserver/ops/operations.h"
#include "metaserver/state/job_cut.h"

namespace cairn::ops {

namespace {

constexpr uint32_t kMostAtOnce = 65'536;
constexpr uint64_t kRoundWindow = 1u << 20;  // windows end at multiples of it, so that few cells are cut in two

// Where the window that begins at the cursor ends: at the file's end, or before it has too many extents or bytes.
uint64_t window_end(const std::vector<Extent>& extents, uint32_t limit, uint64_t begin, uint64_t size, uint64_t room) {
  uint64_t end = size;
  if (extents.size() == limit) end = std::min(end, extents.back().end());
  if (end - begin <= room) return end;
  const uint64_t rounded = (begin + room) / kRoundWindow * kRoundWindow;
  return rounded > begin ? rounded : begin + room;
}

// The windows of one batch.
Status fill(Operation& operation, JobAtWork& job, JobCutter& cutter, uint32_t left) {
  JobStateRow& state = job.state();
  const bool file_work = job.row().task_files > 0, whole_files = job.row().whole_files || file_work;
  while (left > 0 && cutter.room() > 0 && state.cursor_file < job.row().inputs) {
    ASSIGN(const JobFileRow file, queries::job_file(operation.rows, job.id(), state.cursor_file));
    if (state.cursor_offset < file.size) {
      const uint32_t limit = std::min(left, kMaxWindowExtents);
      ASSIGN(const auto extents,
             queries::job_extents(operation.rows, job.id(), state.cursor_file, state.cursor_offset, file.size, limit));
      ASSIGN(const auto holders, queries::job_holders(operation.rows, job.id(), extents));
      const uint64_t end =
          whole_files ? file.size : window_end(extents, limit, state.cursor_offset, file.size, cutter.room());
      const TaskWindow window{state.cursor_file, state.cursor_offset, end};
      ASSIGN(const auto ranges, held_ranges(window.begin, window.end, extents, holders));
      cutter.add(window, ranges);
      left -= std::min(left, static_cast<uint32_t>(extents.size()) + 1);
      state.cursor_offset = end;
      if (end < file.size) continue;
    } else {
      --left;  // an empty file has no task, unless something is done to it
      if (file_work) cutter.add({state.cursor_file, 0, 0}, {});
    }
    ++state.cursor_file;
    state.cursor_offset = 0;
  }
  return {};
}

// The tasks of one batch, and the windows that they share, in order.
struct Batch {
  std::vector<queries::TaskRecord> tasks;
  std::vector<TaskWindow> windows() const {
    const auto before = [](const TaskWindow& a, const TaskWindow& b) {
      return std::pair(a.file, a.begin) < std::pair(b.file, b.begin);
    };
    std::set<TaskWindow, decltype(before)> all(before);
    for (const auto& task : tasks) all.insert(task.row.windows.begin(), task.row.windows.end());
    return {all.begin(), all.end()};
  }
  queries::TaskRecord* of(ServerId owner) {
    const auto found = std::ranges::find(tasks, owner, [](const auto& task) { return task.row.owner; });
    return found == tasks.end() ? nullptr : &*found;
  }
};

Result<Batch> batch_at(Operation& operation, JobId job, uint32_t first) {
  Batch batch;
  for (uint32_t number = first;; ++number) {
    ASSIGN(auto row, find_row<TaskRow>(operation.rows, keys::job_task(job, number)));
    if (!row || row->batch != first) return batch;
    batch.tasks.push_back({number, std::move(*row)});
  }
}

}  // namespace

Result<Answer> run(Operation& operation, const CutTasks& request) {
  if (request.limit == 0 || request.limit > kMostAtOnce) return Error{Errc::invalid, "a step that cuts nothing"};
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job || job->state().phase != JobPhase::planning || job->state().pinned < job->row().inputs) return Answer();
  JobStateRow& state = job->state();
  const uint32_t task_files = job->row().task_files;
  const bool whole = job->row().whole_files || job->row().whole_lines || task_files > 0;
  JobCutter cutter(job->row().task_bytes, {whole, job->row().anywhere, task_files > 0 ? task_files : kMaxTaskWindows});
  TRY(fill(operation, *job, cutter, request.limit));
  const uint32_t batch = state.tasks;
  for (CutTask& cut : cutter.take()) {
    TaskRow row;
    row.batch = batch;
    row.owner = cut.owner;
    row.whole = whole;
    row.windows = std::move(cut.windows);
    row.splits = cut.splits;
    row.bytes = cut.bytes;
    row.bytes_owned = cut.bytes_owned;
    row.needs_survey = (job->row().quote_states && !row.whole) || (job->row().csv_heads && cut.begins_file);
    if (row.needs_survey) ++state.to_survey;
    operation.rows.put(keys::job_task(job->id(), state.tasks++), encode_row(row));
  }
  if (state.tasks > kMaxJobTasks) {
    TRY(job->end(JobPhase::failed,
                 Error{Errc::too_big, fmt::format("the job would have more than {} tasks; take larger "
                                                  "ones with --task-bytes",
                                                  kMaxJobTasks)}));
    return Answer();
  }
  if (state.cursor_file == job->row().inputs) {
    TRY(job->planned());
  } else {
    job->put();
  }
  return Answer();
}

Result<Answer> run(Operation& operation, const SetQuoteStates& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job || job->state().phase != JobPhase::surveying) return Answer();
  JobStateRow& state = job->state();
  if (state.surveyed < state.to_survey || !job->row().quote_states) return Answer();
  ASSIGN(Batch batch, batch_at(operation, job->id(), state.states_set));
  std::map<uint32_t, size_t> next;  // split, of each task
  for (auto& task : batch.tasks) task.row.states.assign((task.row.splits + 7) / 8, '\0');
  for (const TaskWindow& window : batch.windows()) {
    if (window.begin == 0) state.inside_quotes = false;
    if (batch.tasks.front().row.whole) continue;  // one split each, from the file's beginning
    ASSIGN(const auto ranges, queries::job_ranges(operation.rows, job->id(), window));
    for (const HeldRange& range : ranges) {
      queries::TaskRecord* const task = batch.of(range.holder);
      if (task == nullptr)
        return Error{Errc::corrupt, fmt::format("metadata: job {} was cut otherwise", raw(job->id()))};
      const size_t split = next[task->task]++;
      if (split >= task->row.splits)
        return Error{Errc::corrupt, fmt::format("metadata: job {} was cut otherwise", raw(job->id()))};
      if (state.inside_quotes) set_split_bit(task->row.states, split, true);
      state.inside_quotes ^= split_bit(task->row.odd_quotes, split);
    }
  }
  for (const auto& task : batch.tasks) operation.rows.put(keys::job_task(job->id(), task.task), encode_row(task.row));
  state.states_set += static_cast<uint32_t>(batch.tasks.size());
  if (state.states_set >= state.tasks) {
    TRY(job->surveyed());
  } else {
    job->put();
  }
  return Answer();
}

}  // namespace cairn::ops
