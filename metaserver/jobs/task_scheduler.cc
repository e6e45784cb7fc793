#include "metaserver/jobs/task_scheduler.h"

#include <algorithm>

#include "common/probes/rare_path.h"

namespace cairn {

namespace {

constexpr ServerId kAnybody{};
constexpr size_t kDurationsKept = 255;
constexpr size_t kMostAttempts = 2;  // of one task at once

}  // namespace

void TaskScheduler::start_phase(JobId id, JobPhase phase, const std::vector<Task>& tasks, Instant from, Instant now) {
  end_job(id);
  JobState& job = jobs_[id];
  job.phase = phase;
  job.from = from;
  for (const Task& task : tasks) {
    TaskState& state = job.tasks[task.number];
    state.task = task;
    job.queues[task.owner].since = std::max(from, now);
    wait(job, state);
  }
}

void TaskScheduler::add_task(JobId id, JobPhase phase, const Task& task) {
  const auto job = jobs_.find(id);
  if (job == jobs_.end() || job->second.phase != phase || job->second.tasks.contains(task.number)) return;
  TaskState& state = job->second.tasks[task.number];
  state.task = task;
  wait(job->second, state);
}

void TaskScheduler::end_job(JobId id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  for (const auto& [number, task] : found->second.tasks) drop_attempts(id, found->second, task);
  jobs_.erase(found);
}

std::optional<JobPhase> TaskScheduler::phase(JobId job) const {
  const auto found = jobs_.find(job);
  return found == jobs_.end() ? std::nullopt : std::optional(found->second.phase);
}

// Where it failed before, its owner has no right to it.
void TaskScheduler::wait(JobState& job, TaskState& task) {
  const bool failed_at_home = std::ranges::find(task.task.avoid, task.task.owner) != task.task.avoid.end();
  job.queues[failed_at_home ? kAnybody : task.task.owner].waiting.insert(task.task.number);
  ++job.waiting;
}

void TaskScheduler::drop_attempts(JobId id, const JobState& job, const TaskState& task) {
  for (const Attempt& attempt : task.attempts) {
    const auto worker = workers_.find(attempt.server);
    if (worker == workers_.end()) continue;
    const TaskRef ref{id, job.phase, task.task.number, attempt.id};
    if (worker->second.running.erase(ref) > 0) worker->second.drops.push_back(ref);
  }
}

// False: it is not known.
bool TaskScheduler::forget_attempt(JobState& job, TaskState& task, AttemptId attempt) {
  if (std::erase_if(task.attempts, [&](const Attempt& one) { return one.id == attempt; }) == 0) return false;
  --job.running;
  return true;
}

void TaskScheduler::lose(const TaskRef& ref, ServerId server) {
  if (const auto worker = workers_.find(server); worker != workers_.end()) worker->second.running.erase(ref);
  const auto job = jobs_.find(ref.job);
  if (job == jobs_.end() || job->second.phase != ref.phase) return;
  const auto task = job->second.tasks.find(ref.task);
  if (task == job->second.tasks.end() || !forget_attempt(job->second, task->second, ref.attempt)) return;
  ++task->second.losses;
  const auto times = static_cast<uint32_t>(task->second.losses + task->second.task.avoid.size());
  if (times >= kMaxTaskFailures) given_up_.push_back({ref.job, ref.task, times});
  if (task->second.attempts.empty()) wait(job->second, task->second);
}

// What a worker runs that we do not know of: an earlier run of the metaserver gave it out, or the worker was taken for
// gone. False: nobody wants it.
bool TaskScheduler::adopt(const RunningTask& running, ServerId server, Instant now) {
  const auto job = jobs_.find(running.ref.job);
  if (job == jobs_.end() || job->second.phase != running.ref.phase) return false;
  const auto found = job->second.tasks.find(running.ref.task);
  if (found == job->second.tasks.end() || found->second.attempts.size() >= kMostAttempts) return false;
  // Its worker has not heard yet that its failure has come here.
  if (std::ranges::find(found->second.failed, running.ref.attempt) != found->second.failed.end()) return false;
  reached(RarePath::adopted_task);
  TaskState& task = found->second;
  if (task.attempts.empty()) {
    for (auto& [owner, queue] : job->second.queues) queue.waiting.erase(running.ref.task);
    --job->second.waiting;
  }
  task.attempts.push_back({running.ref.attempt, server, now, running.bytes_done});
  ++job->second.running;
  return true;
}

void TaskScheduler::on_poll(const Worker& poll, Instant now) {
  WorkerState& worker = workers_[poll.server];
  worker.site = poll.site;
  worker.slots = poll.slots;
  worker.answered = now + poll.wait;
  worker.drops.clear();  // those that it still runs are found below
  std::set<TaskRef> named;
  for (const RunningTask& running : poll.running) {
    if (!named.insert(running.ref).second) continue;
    if (!worker.running.contains(running.ref)) {
      if (!adopt(running, poll.server, now)) {
        worker.drops.push_back(running.ref);
        continue;
      }
      worker.running.insert(running.ref);
    }
    for (Attempt& attempt : jobs_[running.ref.job].tasks[running.ref.task].attempts) {
      if (attempt.id == running.ref.attempt) attempt.bytes = running.bytes_done;
    }
  }
  std::vector<TaskRef> lost;
  std::ranges::set_difference(worker.running, named, std::back_inserter(lost));
  for (const TaskRef& ref : lost) lose(ref, poll.server);
}

void TaskScheduler::on_worker_gone(ServerId server, Instant) {
  const auto worker = workers_.find(server);
  if (worker == workers_.end()) return;
  const std::set<TaskRef> running = worker->second.running;
  for (const TaskRef& ref : running) lose(ref, server);
  workers_.erase(server);
}

void TaskScheduler::on_tick(Instant now) {
  std::vector<ServerId> silent;
  for (const auto& [server, worker] : workers_) {
    if (worker.answered + options_.worker_timeout <= now) silent.push_back(server);
  }
  for (const ServerId server : silent) on_worker_gone(server, now);
}

// Not where it failed, unless there is nobody else.
bool TaskScheduler::allowed(const TaskState& task, ServerId server) const {
  const auto failed_on = [&](ServerId one) { return std::ranges::find(task.task.avoid, one) != task.task.avoid.end(); };
  if (!failed_on(server)) return true;
  return std::ranges::all_of(workers_, [&](const auto& one) { return one.second.slots == 0 || failed_on(one.first); });
}

std::optional<uint32_t> TaskScheduler::first_allowed(const JobState& job, const Queue& queue, ServerId server) const {
  for (const uint32_t number : queue.waiting) {
    if (allowed(job.tasks.at(number), server)) return number;
  }
  return std::nullopt;
}

std::optional<uint32_t> TaskScheduler::pick(JobState& job, ServerId server, const WorkerState& worker, Instant now) {
  for (const ServerId owner : {server, kAnybody}) {
    const auto queue = job.queues.find(owner);
    if (queue == job.queues.end()) continue;
    if (const auto number = first_allowed(job, queue->second, server)) {
      queue->second.since = now;
      return number;
    }
  }
  return pick_foreign(job, server, worker, now);
}

std::optional<uint32_t> TaskScheduler::pick_foreign(JobState& job, ServerId server, const WorkerState& worker,
                                                    Instant now) const {
  std::optional<uint32_t> best;
  std::pair<bool, size_t> best_rank{};  // same site, length of the queue
  for (const auto& [owner, queue] : job.queues) {
    if (owner == server || owner == kAnybody || queue.waiting.empty()) continue;
    const auto home = workers_.find(owner);
    const bool home_works = home != workers_.end() && home->second.slots > 0;
    if (home_works && (home->second.free() || queue.since + options_.locality_delay > now)) continue;
    const std::pair rank{home_works && home->second.site == worker.site, queue.waiting.size()};
    if (best && rank <= best_rank) continue;
    if (const auto number = first_allowed(job, queue, server)) {
      best = number;
      best_rank = rank;
    }
  }
  return best;
}

std::optional<uint32_t> TaskScheduler::pick_slow(const JobState& job, ServerId server, Instant now) const {
  if (job.waiting > 0 || job.finished.empty() || job.phase == JobPhase::merging) return std::nullopt;
  std::vector<Duration> sorted = job.finished;
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::ranges::nth_element(sorted, middle);
  const auto slow = std::chrono::duration_cast<Duration>(*middle * options_.slow_factor);
  const Duration limit = std::max(slow, options_.slow_at_least);
  std::optional<uint32_t> slowest;
  Duration longest = limit;
  for (const auto& [number, task] : job.tasks) {
    if (task.attempts.size() != 1 || task.attempts.front().server == server || !allowed(task, server)) continue;
    const Duration runs = now - task.attempts.front().started;
    if (runs <= longest) continue;
    slowest = number;
    longest = runs;
  }
  return slowest;
}

TaskRef TaskScheduler::start(JobId id, JobState& job, TaskState& task, ServerId server, Instant now) {
  const TaskRef ref{id, job.phase, task.task.number, AttemptId{next_attempt_++}};
  if (task.attempts.empty()) {
    for (auto& [owner, queue] : job.queues) queue.waiting.erase(task.task.number);
    --job.waiting;
    if (task.losses > 0 || !task.task.avoid.empty()) reached(RarePath::retried_task);
    if (task.task.owner != kAnybody && task.task.owner != server) reached(RarePath::foreign_task);
  } else {
    ++job.extra_attempts;
    reached(RarePath::backup_task);
  }
  task.attempts.push_back({ref.attempt, server, now, 0});
  ++job.running;
  workers_[server].running.insert(ref);
  return ref;
}

std::optional<TaskRef> TaskScheduler::take(ServerId server, Instant now) {
  const auto worker = workers_.find(server);
  if (worker == workers_.end() || !worker->second.free()) return std::nullopt;
  std::vector<JobId> order;
  for (const auto& [id, job] : jobs_) {
    if (job.from <= now) order.push_back(id);
  }
  std::ranges::stable_sort(order, {}, [&](JobId id) { return jobs_[id].running; });
  for (const JobId id : order) {
    JobState& job = jobs_[id];
    if (const auto number = pick(job, server, worker->second, now))
      return start(id, job, job.tasks[*number], server, now);
  }
  for (const JobId id : order) {
    JobState& job = jobs_[id];
    if (const auto number = pick_slow(job, server, now)) return start(id, job, job.tasks[*number], server, now);
  }
  return std::nullopt;
}

std::vector<TaskRef> TaskScheduler::take_drops(ServerId server) {
  const auto worker = workers_.find(server);
  return worker == workers_.end() ? std::vector<TaskRef>() : std::exchange(worker->second.drops, {});
}

bool TaskScheduler::has_drops(ServerId server) const {
  const auto worker = workers_.find(server);
  return worker != workers_.end() && !worker->second.drops.empty();
}

void TaskScheduler::on_finished(const TaskRef& ref, ServerId server, bool succeeded, Instant now) {
  if (const auto worker = workers_.find(server); worker != workers_.end()) worker->second.running.erase(ref);
  const auto found = jobs_.find(ref.job);
  if (found == jobs_.end() || found->second.phase != ref.phase) return;
  JobState& job = found->second;
  const auto task = job.tasks.find(ref.task);
  if (task == job.tasks.end()) return;
  const auto attempt = std::ranges::find(task->second.attempts, ref.attempt, &Attempt::id);
  const bool known = attempt != task->second.attempts.end();
  const Duration took = known ? now - attempt->started : Duration{};
  if (known) forget_attempt(job, task->second, ref.attempt);
  if (!succeeded) {
    if (!known) return;
    task->second.task.avoid.push_back(server);
    task->second.failed.push_back(ref.attempt);
    if (task->second.attempts.empty()) wait(job, task->second);
    return;
  }
  if (known) {
    if (job.finished.size() < kDurationsKept) job.finished.push_back({});
    job.finished[job.next_finished++ % kDurationsKept] = took;
  } else if (task->second.attempts.empty()) {  // of an attempt that was taken for lost
    for (auto& [owner, queue] : job.queues) queue.waiting.erase(ref.task);
    --job.waiting;
  }
  if (known && task->second.attempts.empty()) {
    job.tasks.erase(task);
    return;
  }
  drop_attempts(ref.job, job, task->second);
  job.running -= static_cast<uint32_t>(task->second.attempts.size());
  job.tasks.erase(task);
}

std::vector<TaskScheduler::GivenUp> TaskScheduler::take_given_up() { return std::exchange(given_up_, {}); }

TaskScheduler::Activity TaskScheduler::activity(JobId id) const {
  Activity activity;
  const auto job = jobs_.find(id);
  if (job == jobs_.end()) return activity;
  activity.waiting = job->second.waiting;
  activity.running = job->second.running;
  activity.extra_attempts = job->second.extra_attempts;
  for (const auto& [number, task] : job->second.tasks) {
    uint64_t furthest = 0;
    for (const Attempt& attempt : task.attempts) {
      furthest = std::max(furthest, attempt.bytes);
      ++activity.by_server[attempt.server];
    }
    activity.bytes += furthest;
  }
  return activity;
}

uint32_t TaskScheduler::slots() const {
  uint32_t all = 0;
  for (const auto& [server, worker] : workers_) all += worker.slots;
  return all;
}

}  // namespace cairn
