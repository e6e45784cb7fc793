#include "chunkserver/worker/merge_attempt.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "client/jobs/job_results.h"

namespace cairn {

MergeAttempt::~MergeAttempt() {
  if (raw(inode_) != 0 && !answered_) remove();
}

Status MergeAttempt::work(FinishTask& finish) {
  if (!assignment_.output) return {Errc::invalid, "a merge without an output"};
  ASSIGN(const auto view, parts_.jobs.view(ref().job, ref().phase));
  MergeHooks hooks;
  hooks.cancelled = [this] { return !check_cancelled().ok(); };
  hooks.taken = [&](uint64_t bytes) { bytes_done_ += bytes; };
  ASSIGN(const tasks::Table table, merge_results({parts_.meta, parts_.network, parts_.clock}, ref().job, *view, hooks));
  TRY(check_cancelled());  // what is written now, the end of the job would not find
  const std::string text = text_of(table, assignment_.output->format);
  TRY(write(text));
  finish.counters.bytes_sent = text.size();
  return {};
}

Status MergeAttempt::write(const std::string& text) {
  FilesystemOptions options;
  options.metaserver = parts_.metaserver;
  options.name = "task output";
  ASSIGN(filesystem_, Filesystem::mount(parts_.network, parts_.clock, options));
  const JobOutput& output = *assignment_.output;
  MakeNode make;
  make.parent = output.parent;
  make.name = assignment_.hidden_name;
  make.mode = S_IFREG | output.mode;
  make.uid = output.uid;
  make.gid = output.gid;
  ASSIGN(const Filesystem::Created created, filesystem_->create(make));
  const InodeId inode = created.entry.attributes.inode;
  Status written = filesystem_->write(inode, 0, bytes_of(text));
  if (written.ok()) written = filesystem_->fsync(created.handle);
  const Status released = filesystem_->release(created.handle);
  if (written.ok()) written = released;
  if (written.ok()) {
    inode_ = inode;
    return {};
  }
  remove();
  return written;
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
