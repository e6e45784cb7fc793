// One attempt at a task: its windows are cut into the ranges that lie on the task's owner, and these are surveyed or
// mapped, one after the other.
//
//   window --job_layout--> pinned extents --held_ranges--> splits of the owner --PinnedFile--> bytes --> survey | map
//
// Whoever makes it, wherever: the splits are the same, and so is the result. It holds one window's layout, one piece of
// a split, and the partial. What an operator does to whole files goes through task_files.h, and becomes the files' with
// the result. run() and report() are called by one thread, the rest by any.
// Not here: writing a job's output (merge_attempt.h), who is asked for work (worker.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "chunkserver/worker/attempt.h"
#include "chunkserver/worker/pinned_file.h"
#include "chunkserver/worker/task_files.h"
#include "common/base/buffer.h"
#include "common/base/thread.h"
#include "common/tasks/operator.h"

namespace cairn {

class TaskAttempt : public Attempt {
 public:
  TaskAttempt(AttemptParts parts, Assignment assignment) : Attempt(parts, std::move(assignment)) {}
  void cancel() override;
  // Files that are gone, or were changed, keep what they have: the result says so, and the others get what is new.
  Result<TaskVerdict> report(const FinishTask& finish) override;

 private:
  Status work(FinishTask& finish) override;

  struct Window;
  // Calls visit(file, split, index of the split in the task) for each split.
  template <typename Visit>
  Status each_split(const JobView& view, ShardTransport& near, FinishTask& finish, Visit visit);
  Result<Window> open_window(const JobView& view, const TaskWindow& where, ShardTransport& near);
  // The next piece of [at, end) of the file; empty at end. interrupted: cancelled.
  Result<std::string_view> piece(PinnedFile& file, uint64_t at, uint64_t end);
  Status survey(const JobView& view, ShardTransport& near, FinishTask& finish);
  Status map(const JobView& view, LocalShards& local, ShardTransport& near, FinishTask& finish);
  Status map_split(const JobView& view, PinnedFile& file, tasks::Split split, size_t index);

  void set_mapping(tasks::Partial* partial);

  Buffer buffer_;  // of a piece
  // What a task that gives its files new contents keeps until the metaserver has answered.
  std::shared_ptr<const JobView> view_;
  std::unique_ptr<tasks::Partial> partial_;
  std::unique_ptr<TaskFiles> files_;
  Mutex mutex_;
  tasks::Partial* mapping_ = nullptr;  // guarded by mutex_
};

}  // namespace cairn
