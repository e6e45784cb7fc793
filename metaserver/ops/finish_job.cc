// A job ends: its output appears under its name and it is done, in one command; or it is cancelled, or has failed.
#include <algorithm>

#include "metaserver/ops/free_inode.h"
#include "metaserver/ops/jobs.h"
#include "metaserver/ops/names.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

constexpr uint32_t kNoReplace = 1;  // of renameat2
constexpr uint32_t kMostAtOnce = 10'000;

// Whether the output could be put there: if not, why the job has failed.
std::optional<Error> no_output(const Error& error, const JobOutput& output) {
  switch (error.code) {
    case Errc::exists:
      return Error{error.code,
                   fmt::format("the output '{}' exists; take another name, or replace it with --replace", output.name)};
    case Errc::is_directory:
    case Errc::not_found:
    case Errc::stale_handle:
    case Errc::not_directory:
    case Errc::name_too_long:
      return Error{error.code,
                   fmt::format("the output '{}' cannot be put into its directory: {}", output.name, error.what)};
    default:
      return std::nullopt;
  }
}

// Erases rows of a table of the job, up to `left`.
Status erase_rows(Operation& operation, Table table, JobId job, uint32_t& left) {
  if (left == 0) return {};
  std::vector<std::string> found;
  TRY(operation.rows.scan(keys::first(table, raw(job)), keys::last(table, raw(job)),
                          [&](std::string_view key, std::string_view) {
                            found.emplace_back(key);
                            return found.size() < left;
                          }));
  for (const std::string& key : found) operation.rows.erase(key);
  left -= static_cast<uint32_t>(found.size());
  return {};
}

}  // namespace

Result<Answer> run(Operation& operation, const FinishJob& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.ref.job));
  if (!job || is_over(job->state().phase)) {
    const bool done = job && job->state().phase == JobPhase::done && job->state().output_inode == request.inode;
    return Answer(JobFinished{done ? TaskVerdict::already : TaskVerdict::dropped, {}});
  }
  JobStateRow& state = job->state();
  if (state.phase != JobPhase::merging) return Answer(JobFinished{TaskVerdict::dropped, {}});
  if (std::ranges::find(state.merges, request.ref.attempt) == state.merges.end())
    return Error{Errc::invalid,
                 fmt::format("job {} has no attempt {} of merging", raw(job->id()), raw(request.ref.attempt))};
  const JobOutput& output = *job->row().output;
  const std::string hidden = hidden_name(job->id(), request.ref.attempt);
  ASSIGN(const std::optional<DentryRow> made, find_dentry(operation, output.parent, hidden));
  if (!made || made->inode != request.inode)
    return Error{Errc::invalid, fmt::format("'{}' is not the file {} that was merged", hidden, raw(request.inode))};
  Result<Answer> renamed =
      run(operation, Rename{output.parent, hidden, output.parent, output.name, output.replace ? 0 : kNoReplace});
  if (!renamed.ok()) {  // and nothing was changed: it checks first
    std::optional<Error> why = no_output(renamed.error(), output);
    if (!why) return renamed.error();
    TRY(job->end(JobPhase::failed, std::move(why)));
    return Answer(JobFinished{TaskVerdict::dropped, {}});
  }
  state.output_inode = request.inode;
  std::erase(state.merges, request.ref.attempt);
  job->count(request.server, request.counters);
  TRY(job->end(JobPhase::done));
  return Answer(JobFinished{TaskVerdict::accepted, std::get<Renamed>(std::move(*renamed))});
}

Result<Answer> run(Operation& operation, const CancelJob& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job) return Error{Errc::not_found, fmt::format("there is no job {}", raw(request.job))};
  if (!is_over(job->state().phase)) TRY(job->end(JobPhase::cancelled));
  return Answer();
}

Result<Answer> run(Operation& operation, const FailJob& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (job && !is_over(job->state().phase)) TRY(job->end(JobPhase::failed, request.failure));
  return Answer();
}

Result<Answer> run(Operation& operation, const RemoveJobRows& request) {
  if (request.limit == 0 || request.limit > kMostAtOnce) return Error{Errc::invalid, "a step that removes nothing"};
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job) return Answer();
  if (!is_over(job->state().phase))
    return Error{Errc::invalid, fmt::format("job {} is {}", raw(job->id()), name_of(job->state().phase))};
  uint32_t left = request.limit;
  for (const Table table : {Table::job_extent, Table::job_chunk}) TRY(erase_rows(operation, table, job->id(), left));
  // Results are for who asked for the table, and has not fetched it yet.
  const bool may_be_asked_for = job->state().phase == JobPhase::done && !job->row().output;
  if (!may_be_asked_for) TRY(erase_rows(operation, Table::job_result, job->id(), left));
  if (left == 0) return Answer();
  job->state().pins_removed = true;
  // Only the metaserver asks for this, when it has taken the hidden files away (or they are none).
  job->state().hidden_removed = true;
  job->state().merges.clear();
  job->put();
  if (!request.whole) return Answer();
  for (const Table table : {Table::job_result, Table::job_task, Table::job_file})
    TRY(erase_rows(operation, table, job->id(), left));
  if (left == 0) return Answer();
  operation.rows.erase(keys::job_state(job->id()));
  operation.rows.erase(keys::job(job->id()));
  return Answer();
}

Result<Answer> run(Operation& operation, const FreeReplaced& request) {
  TRY(free_orphan(operation, request.session, request.inode));
  return Answer();
}

}  // namespace cairn::ops
