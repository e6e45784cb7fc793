#include "chunkserver/worker/merge_attempt.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>

#include "client/jobs/job_results.h"
#include "common/probes/planted_bug.h"

namespace cairn {

namespace {

constexpr size_t kWriteBytes = 1u << 20;

}  // namespace

MergeAttempt::~MergeAttempt() {
  if (raw(inode_) != 0 && !answered_) remove();
}

Status MergeAttempt::work(FinishTask& finish) {
  if (!assignment_.output) return {Errc::invalid, "a merge without an output"};
  ASSIGN(const auto view, parts_.jobs.view(ref().job, ref().phase));
  MergeHooks hooks;
  hooks.cancelled = [this] { return !check_cancelled().ok(); };
  hooks.taken = [&](uint64_t bytes) { bytes_done_ += bytes; };
  const auto sink = [this](std::string_view text) { return append(text); };
  Status done = merge_results({parts_.meta, parts_.network, parts_.clock}, ref().job, *view, assignment_.output->format,
                              sink, hooks);
  if (done.ok()) done = append({});  // a result of no bytes is a file too
  if (created_) done = close(std::move(done));
  if (!done.ok()) {
    if (created_) remove();
    return done;
  }
  inode_ = created_->entry.attributes.inode;
  finish.counters.bytes_sent = written_;
  return {};
}

// Joins the cluster as a client, and makes the file, when there is something to write.
Status MergeAttempt::append(std::string_view text) {
  TRY(check_cancelled());  // what is written now, the end of the job would not find
  if (!created_) TRY(create());
  for (; !text.empty(); text.remove_prefix(std::min(text.size(), kWriteBytes))) {
    const std::string_view piece = text.substr(0, kWriteBytes);
    TRY(filesystem_->write(created_->entry.attributes.inode, written_, bytes_of(piece)));
    written_ += piece.size();
  }
  return {};
}

Status MergeAttempt::create() {
  FilesystemOptions options;
  options.metaserver = parts_.metaserver;
  options.name = "task output";
  options.seed = parts_.seed;
  ASSIGN(filesystem_, Filesystem::mount(parts_.network, parts_.clock, options));
  const JobOutput& output = *assignment_.output;
  MakeNode make;
  make.parent = output.parent;
  make.name = assignment_.hidden_name;
  make.mode = S_IFREG | output.mode;
  make.uid = output.uid;
  make.gid = output.gid;
  ASSIGN(created_, filesystem_->create(make));
  return {};
}

Status MergeAttempt::close(Status written) {
  if (written.ok() && !planted(PlantedBug::output_before_sync)) written = filesystem_->fsync(created_->handle);
  const Status released = filesystem_->release(created_->handle);
  return written.ok() ? released : written;
}

void MergeAttempt::remove() {
  const Status removed = filesystem_->unlink(assignment_.output->parent, assignment_.hidden_name);
  if (!removed.ok()) spdlog::warn("{} cannot be removed: {}", assignment_.hidden_name, removed.error().what);
}

Result<TaskVerdict> MergeAttempt::report(const FinishTask& finish) {
  if (finish.failure) return parts_.meta.finish_task(finish);
  const Result<TaskVerdict> verdict = parts_.meta.finish_job({finish.ref, finish.server, finish.counters, inode_});
  answered_ = verdict.ok();
  if (verdict.ok() && *verdict != TaskVerdict::accepted) remove();
  return verdict;
}

}  // namespace cairn
