#include "metaserver/state/job_cut.h"

#include <algorithm>

namespace cairn {

uint64_t JobCutter::room() const {
  const uint64_t wanted = task_bytes_ * std::max<uint64_t>(1, tasks_.size());
  return windows_ >= rules_.windows || bytes_ >= wanted ? 0 : wanted - bytes_;
}

void JobCutter::add(const TaskWindow& window, std::span<const HeldRange> ranges) {
  bytes_ += window.end - window.begin;
  ++windows_;
  if (rules_.whole_windows) return add_whole(window, ranges);
  for (const HeldRange& range : ranges) {
    CutTask& task = tasks_[range.holder];
    task.owner = range.holder;
    if (task.windows.empty() || task.windows.back() != window) task.windows.push_back(window);
    ++task.splits;
    task.bytes += range.end - range.begin;
    if (range.holder != ServerId{}) task.bytes_owned += range.end - range.begin;
    task.begins_file |= range.begin == 0;
  }
}

void JobCutter::add_whole(const TaskWindow& window, std::span<const HeldRange> ranges) {
  std::map<ServerId, uint64_t> held;
  for (const HeldRange& range : ranges) held[range.holder] += range.end - range.begin;
  held.erase(ServerId{});
  const auto most = std::ranges::max_element(held, {}, [](const auto& one) { return one.second; });
  const ServerId owner = most == held.end() || rules_.anywhere ? ServerId{} : most->first;
  CutTask& task = tasks_[owner];
  task.owner = owner;
  task.windows.push_back(window);
  ++task.splits;
  task.bytes += window.end - window.begin;
  if (owner != ServerId{}) task.bytes_owned += std::min(most->second, window.end - window.begin);
  task.begins_file |= window.begin == 0;
}

std::vector<CutTask> JobCutter::take() {
  std::vector<CutTask> all;
  for (auto& [owner, task] : tasks_) all.push_back(std::move(task));
  tasks_.clear();
  bytes_ = windows_ = 0;
  return all;
}

}  // namespace cairn
