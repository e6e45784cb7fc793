// How an attempt ended. The first result of a task counts, whoever made it: all attempts map the same pinned bytes.
#include <algorithm>

#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"
#include "metaserver/ops/adopt.h"
#include "metaserver/ops/jobs.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

constexpr uint64_t kMaxJobHeads = 64u << 20;  // bytes, of all files of a job
constexpr size_t kMostMerges = 64;

// What every other attempt would find too.
bool ends_the_job(Errc code) { return code == Errc::invalid || code == Errc::corrupt; }

Result<Answer> failed(Operation& operation, JobAtWork& job, const FinishTask& request) {
  ++job.state().failures;
  uint32_t of_task = 0;
  if (request.ref.phase == JobPhase::merging) {
    of_task = ++job.state().merge_failures;
  } else {
    ASSIGN(TaskRow task, queries::task(operation.rows, job.id(), request.ref.task));
    if (task.done || (request.ref.phase == JobPhase::surveying && task.surveyed)) return Answer(TaskVerdict::already);
    task.failed_on.push_back(request.server);
    of_task = static_cast<uint32_t>(task.failed_on.size());
    operation.rows.put(keys::job_task(job.id(), request.ref.task), encode_row(task));
  }
  if (ends_the_job(request.failure->code) || of_task >= kMaxTaskFailures) {
    const std::string what = ends_the_job(request.failure->code)
                                 ? request.failure->what
                                 : fmt::format("task {} failed {} times; last on server {}: {}", request.ref.task,
                                               of_task, raw(request.server), request.failure->what);
    TRY(job.end(JobPhase::failed, Error{request.failure->code, what}));
  } else {
    job.put();
  }
  return Answer(TaskVerdict::accepted);
}

// invalid: it is not what the survey of this task gives.
Status take_heads(Operation& operation, JobAtWork& job, const TaskRow& task, const FinishTask& request) {
  if (!job.row().csv_heads) return {};
  std::vector<uint32_t> wanted;
  for (const TaskWindow& window : task.windows) {
    if (window.begin != 0) continue;
    ASSIGN(const auto ranges,
           queries::job_ranges(operation.rows, job.id(), {window.file, 0, std::min<uint64_t>(window.end, 1)}));
    if (task.whole || (!ranges.empty() && ranges.front().holder == task.owner)) wanted.push_back(window.file);
  }
  for (const FileHead& head : request.heads) {
    if (std::erase(wanted, head.file) == 0)
      return Error{Errc::invalid,
                   fmt::format("the head of file {}, which does not begin in task {}", head.file, request.ref.task)};
    ASSIGN(JobFileRow file, queries::job_file(operation.rows, job.id(), head.file));
    if (head.text.size() > file.size)
      return Error{Errc::invalid, fmt::format("{}: a head longer than the file", file.name)};
    job.state().heads_bytes += head.text.size();
    file.head = head.text;
    operation.rows.put(keys::job_file(job.id(), head.file), encode_row(file));
  }
  if (!wanted.empty())
    return Error{Errc::invalid,
                 fmt::format("task {} was surveyed without the head of file {}", request.ref.task, wanted.front())};
  return {};
}

Result<Answer> surveyed(Operation& operation, JobAtWork& job, const FinishTask& request) {
  ASSIGN(TaskRow task, queries::task(operation.rows, job.id(), request.ref.task));
  if (task.surveyed) return Answer(TaskVerdict::already);
  if (!task.needs_survey) return Error{Errc::invalid, fmt::format("task {} is not surveyed", request.ref.task)};
  if (job.row().quote_states && !task.whole && request.odd_quotes.size() != (task.splits + 7) / 8)
    return Error{Errc::invalid,
                 fmt::format("the quotes of {} splits in {} bytes", task.splits, request.odd_quotes.size())};
  TRY(take_heads(operation, job, task, request));
  task.surveyed = true;
  task.odd_quotes = request.odd_quotes;
  operation.rows.put(keys::job_task(job.id(), request.ref.task), encode_row(task));
  JobStateRow& state = job.state();
  ++state.surveyed;
  state.bytes_surveyed += task.bytes;
  job.count(request.server, request.counters);
  if (state.heads_bytes > kMaxJobHeads) {
    TRY(job.end(JobPhase::failed,
                Error{Errc::too_big,
                      fmt::format("the headers of the files are more than {} bytes together; are they CSV files?",
                                  kMaxJobHeads)}));
    return Answer(TaskVerdict::accepted);
  }
  if (state.surveyed == state.to_survey && !job.row().quote_states) {
    TRY(job.surveyed());
  } else {
    job.put();
  }
  return Answer(TaskVerdict::accepted);
}

Result<Answer> mapped(Operation& operation, JobAtWork& job, const FinishTask& request) {
  ASSIGN(TaskRow task, queries::task(operation.rows, job.id(), request.ref.task));
  if (task.done && !planted(PlantedBug::count_twice)) return Answer(TaskVerdict::already);
  if (request.partial.empty() && !request.spooled) return Error{Errc::invalid, "a result without a partial"};
  if (!request.outputs.empty()) {
    if (request.spooled) return Error{Errc::invalid, "files with new contents and a partial that could be lost"};
    ASSIGN(const bool adopted, adopt_outputs(operation, job, task, request.outputs));
    if (!adopted) return Answer(TaskVerdict::changed);
  }
  task.done = true;
  task.server = request.server;
  task.attempt = request.ref.attempt;
  task.spooled = request.spooled;
  task.result_bytes = static_cast<uint32_t>(request.partial.size());
  operation.rows.put(keys::job_task(job.id(), request.ref.task), encode_row(task));
  if (!request.spooled)
    operation.rows.put(keys::job_result(job.id(), request.ref.task), encode_row(TaskResultRow{request.partial}));
  JobStateRow& state = job.state();
  ++state.mapped;
  state.bytes_mapped += task.bytes;
  state.inline_result_bytes += request.partial.size();
  state.result_bytes += request.spooled ? request.spooled->bytes : request.partial.size();
  job.count(request.server, request.counters);
  if (state.inline_result_bytes > kMaxResultBytes) {
    TRY(job.end(
        JobPhase::failed,
        Error{Errc::too_big,
              fmt::format("the partial results are more than {} bytes; take fewer, larger tasks with --task-bytes",
                          kMaxResultBytes)}));
  } else if (state.mapped == state.tasks) {
    TRY(job.mapped());
  } else {
    job.put();
  }
  return Answer(TaskVerdict::accepted);
}

}  // namespace

Result<Answer> run(Operation& operation, const FinishTask& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.ref.job));
  if (!job || is_over(job->state().phase)) return Answer(TaskVerdict::dropped);
  if (job->state().phase != request.ref.phase) {
    // A phase ends with the last result of its last task: of an earlier one there is a result.
    return Answer(request.ref.phase < job->state().phase ? TaskVerdict::already : TaskVerdict::dropped);
  }
  if (request.ref.phase != JobPhase::merging && request.ref.task >= job->state().tasks)
    return Error{Errc::invalid, fmt::format("job {} has no task {}", raw(job->id()), request.ref.task)};
  if (request.failure) return failed(operation, *job, request);
  if (request.ref.phase == JobPhase::surveying) return surveyed(operation, *job, request);
  if (request.ref.phase == JobPhase::mapping) return mapped(operation, *job, request);
  return Error{Errc::invalid, "merging ends with finish_job"};
}

Result<Answer> run(Operation& operation, const LostResult& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job) return Error{Errc::not_found, fmt::format("there is no job {}", raw(request.job))};
  JobStateRow& state = job->state();
  if (is_over(state.phase))
    return Error{Errc::stale_handle,
                 fmt::format("job {} is {}, and a worker that held a part of its result is gone: run it again",
                             raw(job->id()), name_of(state.phase))};
  ASSIGN(TaskRow task, queries::task(operation.rows, job->id(), request.task));
  if (!task.done || !task.spooled || task.attempt != request.attempt) return Answer();  // it was done again
  reached(RarePath::lost_result);
  state.result_bytes -= task.spooled->bytes;
  state.bytes_mapped -= task.bytes;
  --state.mapped;
  state.phase = JobPhase::mapping;
  task.done = false;
  task.spooled.reset();
  operation.rows.put(keys::job_task(job->id(), request.task), encode_row(task));
  job->put();
  return Answer();
}

Result<Answer> run(Operation& operation, const StartMerge& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job || job->state().phase != JobPhase::merging) return Answer(TaskVerdict::dropped);
  JobStateRow& state = job->state();
  if (std::ranges::find(state.merges, request.attempt) != state.merges.end()) return Answer(TaskVerdict::accepted);
  if (state.merges.size() >= kMostMerges) {
    TRY(job->end(
        JobPhase::failed,
        Error{Errc::io, fmt::format("writing the output was begun {} times and never finished", kMostMerges)}));
    return Answer(TaskVerdict::dropped);
  }
  state.merges.push_back(request.attempt);
  job->put();
  return Answer(TaskVerdict::accepted);
}

}  // namespace cairn::ops
