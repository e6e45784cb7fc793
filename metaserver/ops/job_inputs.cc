// A job begins: it is admitted, its inputs are told, and then pinned as they are.
//
// Pinned is what the extents were at one version of the inode. An input that changes between two steps is pinned anew;
// what its extents refer to stays, because the janitor leaves what died since (queries::oldest_pin).
#include <algorithm>

#include "metaserver/ops/content.h"
#include "metaserver/ops/jobs.h"
#include "metaserver/ops/names.h"
#include "metaserver/ops/operations.h"
#include "metaserver/state/extent_map.h"

namespace cairn::ops {

namespace {

constexpr uint32_t kMostPinRestarts = 100;
constexpr uint32_t kMostAtOnce = 65'536;

// Drops the pinned extents of a file, up to `limit`. How many there were.
Result<uint32_t> unpin(Operation& operation, JobId job, uint32_t file, uint32_t limit) {
  ASSIGN(const auto extents, queries::job_extents(operation.rows, job, file, 0, UINT64_MAX - 1, limit));
  for (const Extent& extent : extents) operation.rows.erase(keys::job_extent(job, file, extent.end()));
  return static_cast<uint32_t>(extents.size());
}

Status pin_chunk(Operation& operation, JobId job, ChunkId id) {
  const std::string key = keys::job_chunk(job, id);
  ASSIGN(const std::optional<JobChunkRow> known, find_row<JobChunkRow>(operation.rows, key));
  if (known) return {};
  ASSIGN(const std::optional<ChunkRow> chunk, find_chunk(operation.rows, id));
  if (!chunk)
    return Error{Errc::corrupt, fmt::format("metadata: an extent refers to chunk {}, which does not exist", raw(id))};
  const auto& servers = chunk->info.servers;
  operation.rows.put(key, encode_row(JobChunkRow{{servers.begin(), servers.begin() + chunk->info.code.d}}));
  return {};
}

// One input, from where it was left. The error of an input that cannot be one ends the job.
class Pinning {
 public:
  Pinning(Operation& operation, JobAtWork& job, JobFileRow& file, InodeRow& inode)
      : operation_(operation), job_(job), file_(file), inode_(inode) {}
  // Takes what it did off `left`. True: the input is pinned.
  Result<bool> step(uint32_t& left) {
    JobStateRow& state = job_.state();
    if (file_.version != 0 && file_.version != inode_.attributes.version) {
      ASSIGN(const uint32_t dropped, unpin(operation_, job_.id(), state.pinned, left));
      left -= dropped;
      if (left == 0) return false;
      ++state.pin_restarts;
      file_.version = 0;
    }
    if (file_.version == 0) {
      file_.version = inode_.attributes.version;
      file_.size = inode_.attributes.size;
      state.cursor_offset = 0;
    }
    if (inode_.content_bytes > 0) {
      ASSIGN(file_.content, read_content(operation_, inode_));
      return true;
    }
    return pin_extents(left);
  }

 private:
  Result<bool> pin_extents(uint32_t& left) {
    JobStateRow& state = job_.state();
    ASSIGN(const auto extents, extents_in(operation_.rows, inode_.map, state.cursor_offset, file_.size, left));
    for (const Extent& extent : extents) {
      operation_.rows.put(keys::job_extent(job_.id(), state.pinned, extent.end()),
                          encode_row(ExtentRow{operation_.index, extent}));
      TRY(pin_chunk(operation_, job_.id(), extent.chunk));
    }
    const bool all = extents.size() < left;
    left -= static_cast<uint32_t>(extents.size());
    if (!all) state.cursor_offset = extents.back().end();
    return all;
  }

  Operation& operation_;
  JobAtWork& job_;
  JobFileRow& file_;
  InodeRow& inode_;
};

// What stands against the inode as an input.
std::optional<Error> no_input(const JobFileRow& file, const InodeRow* inode) {
  if (inode == nullptr || inode->attributes.links == 0)
    return Error{Errc::not_found, fmt::format("{}: the file is gone", file.name)};
  if (!is_regular(*inode)) return Error{Errc::invalid, fmt::format("{} is not a regular file", file.name)};
  return std::nullopt;
}

// Told before anything is done for it. It is asked again when the output is put there.
Status check_output(Operation& operation, const JobOutput& output) {
  TRY(check_name(output.name));
  TRY(operation.directory(output.parent));
  ASSIGN(const std::optional<DentryRow> taken, find_dentry(operation, output.parent, output.name));
  if (!taken) return {};
  if (!output.replace)
    return Error{Errc::exists,
                 fmt::format("the output '{}' exists; take another name, or replace it with --replace", output.name)};
  ASSIGN(InodeRow* const there, operation.inode(taken->inode));
  if (is_directory(*there))
    return Error{Errc::is_directory, fmt::format("the output '{}' is a directory", output.name)};
  return {};
}

}  // namespace

Result<Answer> run(Operation& operation, const AdmitJob& request) {
  const SubmitJob& job = request.job;
  if (job.inputs == 0 || job.inputs > kMaxJobInputs || job.task_bytes < kMinTaskBytes ||
      job.task_bytes > kMaxTaskBytes || job.time_limit_ms <= 0)
    return Error{Errc::invalid, "a job without inputs, size of tasks or time"};
  if (request.task_files > kMaxTaskOutputs) return Error{Errc::invalid, "tasks of too many files"};
  if (job.output) TRY(check_output(operation, *job.output));
  JobId id{};
  bool too_many = false;
  TRY(change_live_jobs(operation, [&](JobsRow& row) {
    too_many = row.live.size() >= kMaxLiveJobs;
    id = JobId{row.next_job++};
    row.live.push_back({id, 0});
  }));
  if (too_many)
    return Error{Errc::too_big,
                 fmt::format("{} jobs are under way, which is the most: wait for one, or cancel one with "
                             "'cairn task cancel'",
                             kMaxLiveJobs)};
  operation.rows.put(keys::job(id), encode_row(JobRow{operation.index, job.op, job.arguments, job.inputs, job.output,
                                                      job.task_bytes, job.time_limit_ms, operation.wall_ns,
                                                      request.whole_files, request.csv_heads, request.quote_states,
                                                      request.whole_lines, request.task_files, request.anywhere}));
  operation.rows.put(keys::job_state(id), encode_row(JobStateRow{}));
  return Answer(id);
}

Result<Answer> run(Operation& operation, const AddJobInputs& request) {
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job) return Error{Errc::not_found, fmt::format("there is no job {}", raw(request.job))};
  JobStateRow& state = job->state();
  const uint64_t end = uint64_t{request.first} + request.inputs.size();
  if (end <= state.received) return Answer();  // told before
  if (state.phase != JobPhase::receiving)
    return Error{Errc::invalid,
                 fmt::format("job {} is {}: it takes no more inputs", raw(job->id()), name_of(state.phase))};
  if (request.first != state.received || end > job->row().inputs)
    return Error{Errc::invalid, fmt::format("inputs {} to {} of a job that has {} of {}", request.first, end,
                                            state.received, job->row().inputs)};
  for (const JobInput& input : request.inputs)
    operation.rows.put(keys::job_file(job->id(), state.received++),
                       encode_row(JobFileRow{input.inode, input.name, 0, 0, {}, {}}));
  if (state.received == job->row().inputs) {
    state.phase = JobPhase::planning;
    TRY(change_live_jobs(operation, [&](JobsRow& row) {
      for (LiveJob& live : row.live) {
        if (live.job == job->id()) live.pinned_ns = operation.wall_ns;
      }
    }));
  }
  job->put();
  return Answer();
}

Result<Answer> run(Operation& operation, const PinInputs& request) {
  if (request.limit == 0 || request.limit > kMostAtOnce) return Error{Errc::invalid, "a step that pins nothing"};
  ASSIGN(std::optional<JobAtWork> job, JobAtWork::find(operation, request.job));
  if (!job || job->state().phase != JobPhase::planning) return Answer();
  JobStateRow& state = job->state();
  const uint64_t until = std::min<uint64_t>(job->row().inputs, uint64_t{state.pinned} + request.files);
  for (uint32_t left = request.limit; left > 0 && state.pinned < until;) {
    ASSIGN(JobFileRow file, queries::job_file(operation.rows, job->id(), state.pinned));
    ASSIGN(InodeRow* const inode, operation.find(file.inode));
    if (std::optional<Error> bad = no_input(file, inode)) {
      TRY(job->end(JobPhase::failed, std::move(bad)));
      return Answer();
    }
    ASSIGN(const bool pinned, Pinning(operation, *job, file, *inode).step(left));
    operation.rows.put(keys::job_file(job->id(), state.pinned), encode_row(file));
    if (state.pin_restarts > kMostPinRestarts) {
      TRY(job->end(JobPhase::failed,
                   Error{Errc::busy, file.name + " changes faster than it can be pinned; try again when it is quiet"}));
      return Answer();
    }
    if (!pinned) break;
    if (left > 0) --left;
    state.bytes += file.size;
    state.cursor_offset = 0;
    ++state.pinned;
  }
  job->put();
  return Answer();
}

}  // namespace cairn::ops
