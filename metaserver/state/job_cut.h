// How windows of a job's files become tasks.
//
//   windows   file 0 [0 .. 64M) [64M .. 200M)   file 1 [0 .. 900)         until each server has about task_bytes
//   tasks     server 3: its cells of all of them | server 5: ... | nobody: holes, inline files
//
// The windows of one batch are shared by its tasks: each task lists those in which something lies on its owner. Whole
// windows (files, or pieces that end at lines) go to the server that has most of each, or to nobody. Pure.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "common/meta/jobs.h"

namespace cairn {

struct CutTask {
  ServerId owner{};
  std::vector<TaskWindow> windows;
  uint32_t splits = 0;
  uint64_t bytes = 0, bytes_owned = 0;
  bool begins_file = false;  // one of its splits starts at offset 0
};

class JobCutter {
 public:
  struct Rules {
    bool whole_windows = false;
    bool anywhere = false;               // of whole windows: their task has no owner
    uint32_t windows = kMaxTaskWindows;  // of one batch, and so of a task, at most
  };
  JobCutter(uint64_t task_bytes, Rules rules) : task_bytes_(task_bytes), rules_(rules) {}
  // How many more bytes make the tasks about as large as they should be; 0: the batch is full.
  uint64_t room() const;
  // ranges: held_ranges() of the window; of a whole file those of its beginning are enough.
  void add(const TaskWindow& window, std::span<const HeldRange> ranges);
  std::vector<CutTask> take();  // ascending by owner

 private:
  void add_whole(const TaskWindow& window, std::span<const HeldRange> ranges);

  uint64_t task_bytes_;
  Rules rules_;
  uint64_t bytes_ = 0;
  size_t windows_ = 0;
  std::map<ServerId, CutTask> tasks_;
};

}  // namespace cairn
