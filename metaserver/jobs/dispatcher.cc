#include "metaserver/jobs/dispatcher.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/probes/rare_path.h"

namespace cairn {

namespace {

constexpr uint32_t kPage = 1024;

Error stopping() { return {Errc::unavailable, "the metaserver is stopping"}; }

bool has_result(const TaskRow& task, JobPhase phase) {
  return phase == JobPhase::surveying ? !task.needs_survey || task.surveyed : task.done;
}

// The tasks of the job's phase that have no result.
Result<std::vector<TaskScheduler::Task>> tasks_of(const StoreView& view, const queries::JobRecord& job) {
  std::vector<TaskScheduler::Task> tasks;
  if (job.state.phase == JobPhase::merging) return std::vector<TaskScheduler::Task>{{}};
  for (uint32_t first = 0; first < job.state.tasks;) {
    ASSIGN(const auto page, queries::tasks(view, job.job, first, kPage));
    if (page.empty()) break;
    for (const auto& task : page) {
      if (!has_result(task.row, job.state.phase)) tasks.push_back({task.task, task.row.owner, task.row.failed_on});
    }
    first = page.back().task + 1;
  }
  return tasks;
}

}  // namespace

Dispatcher::Dispatcher(Clock& clock, Committer& committer, const OrderedStore& store, Options options)
    : clock_(clock),
      committer_(committer),
      store_(store),
      options_(options),
      started_(clock.now()),
      scheduler_(options.scheduler) {}

Status Dispatcher::refresh(JobId id) {
  const auto view = store_.view();
  ASSIGN(const queries::Applied applied, queries::applied(*view));
  const auto job = queries::job(*view, id);
  if (!job.ok() && job.code() != Errc::not_found) return job.error();
  const bool has_tasks = job.ok() && job->state.phase >= JobPhase::surveying && job->state.phase <= JobPhase::merging;
  std::vector<TaskScheduler::Task> tasks;
  if (has_tasks) {
    const Lock lock(mutex_);
    if (scheduler_.phase(id) == job->state.phase) return {};
  }
  if (has_tasks) {
    ASSIGN(tasks, tasks_of(*view, *job));
  }
  const Lock lock(mutex_);
  if (seen_[id] > applied.index) return {};  // somebody has looked at a newer state meanwhile
  seen_[id] = applied.index;
  const Instant now = clock_.now();
  if (!has_tasks) {
    scheduler_.end_job(id);
    if (!job.ok() || is_over(job->state.phase)) seen_.erase(id);
  } else if (scheduler_.phase(id) != job->state.phase) {
    const bool of_earlier_run = job->row.birth <= options_.start;
    if (of_earlier_run) reached(RarePath::resumed_job);
    scheduler_.start_phase(id, job->state.phase, tasks,
                           of_earlier_run ? std::max(now, started_ + options_.reclaim) : now, now);
  }
  wake_all();
  return {};
}

Status Dispatcher::refresh_task(JobId id, uint32_t number) {
  TRY(refresh(id));
  const auto view = store_.view();
  const auto job = queries::job(*view, id);
  if (!job.ok()) return job.code() == Errc::not_found ? Status() : Status(job.error());
  if (job->state.phase != JobPhase::mapping) return {};
  ASSIGN(const TaskRow task, queries::task(*view, id, number));
  if (task.done) return {};
  const Lock lock(mutex_);
  scheduler_.add_task(id, JobPhase::mapping, {number, task.owner, task.failed_on});
  wake_all();
  return {};
}

void Dispatcher::wake_all() {
  for (const auto& [server, box] : boxes_) box->changed.notify_all();
}

Result<TaskOrders> Dispatcher::poll(SessionId session, const std::string& site, const TaskPoll& poll) {
  const Duration wait = std::min(poll.wait, kMaxTaskPoll);
  const Instant deadline = clock_.now() + wait;
  std::vector<TaskRef> taken;
  TaskOrders orders;
  {
    Lock lock(mutex_);
    auto& slot = boxes_[poll.server];
    if (slot == nullptr) slot = std::make_shared<Box>();
    const std::shared_ptr<Box> box = slot;
    box->session = session;
    box->results = poll.results;
    const uint64_t number = ++box->polls;
    box->changed.notify_all();
    scheduler_.on_poll({poll.server, site, poll.slots, poll.running, wait}, clock_.now());
    while (true) {
      if (stopping_) return stopping();
      if (box->polls != number) return Error{Errc::busy, "a newer poll of the same worker took this one's place"};
      while (const auto ref = scheduler_.take(poll.server, clock_.now())) taken.push_back(*ref);
      orders.drop = scheduler_.take_drops(poll.server);
      const Instant now = clock_.now();
      if (!taken.empty() || !orders.drop.empty() || now >= deadline) break;
      box->changed.wait_until(lock, std::min(deadline, now + options_.look_again));
    }
  }
  const auto view = store_.view();
  for (const TaskRef& ref : taken) {
    ASSIGN(std::optional<Assignment> one, assignment(*view, ref, poll.server));
    if (one) {
      orders.start.push_back(std::move(*one));
    } else {
      TRY(refresh(ref.job));  // it is in another phase meanwhile
    }
  }
  return orders;
}

// none: the job is not in that phase any more.
Result<std::optional<Assignment>> Dispatcher::assignment(const StoreView& view, const TaskRef& ref, ServerId server) {
  Assignment one;
  one.ref = ref;
  const auto job = queries::job(view, ref.job);
  if (!job.ok() && job.code() == Errc::not_found) return std::optional<Assignment>();
  if (!job.ok()) return job.error();
  if (job->state.phase != ref.phase) return std::optional<Assignment>();
  if (ref.phase == JobPhase::merging) {
    const Outcome known = committer_.propose(StartMerge{ref.job, ref.attempt, server});
    if (!known.ok()) return known.error();
    if (std::get<TaskVerdict>(*known) != TaskVerdict::accepted) return std::optional<Assignment>();
    one.output = job->row.output;
    one.hidden_name = hidden_name(ref.job, ref.attempt);
    return std::optional(std::move(one));
  }
  ASSIGN(TaskRow task, queries::task(view, ref.job, ref.task));
  one.owner = task.owner;
  one.whole = task.whole;
  one.windows = std::move(task.windows);
  if (ref.phase == JobPhase::mapping) one.states = std::move(task.states);
  return std::optional(std::move(one));
}

void Dispatcher::on_finished(const TaskRef& ref, ServerId server, bool succeeded) {
  const Lock lock(mutex_);
  scheduler_.on_finished(ref, server, succeeded, clock_.now());
  // It has a free slot now; and whoever ran the same task has something to drop.
  if (const auto box = boxes_.find(server); box != boxes_.end()) box->second->changed.notify_all();
  for (const auto& [other, box] : boxes_) {
    if (scheduler_.has_drops(other)) box->changed.notify_all();
  }
}

void Dispatcher::session_ended(SessionId session) {
  const Lock lock(mutex_);
  for (auto at = boxes_.begin(); at != boxes_.end();) {
    if (at->second->session != session) {
      ++at;
      continue;
    }
    scheduler_.on_worker_gone(at->first, clock_.now());
    at->second->changed.notify_all();
    at = boxes_.erase(at);
    wake_all();
  }
}

void Dispatcher::tick() {
  const Lock lock(mutex_);
  scheduler_.on_tick(clock_.now());
}

void Dispatcher::stop() {
  const Lock lock(mutex_);
  stopping_ = true;
  wake_all();
}

TaskScheduler::Activity Dispatcher::activity(JobId job) const {
  const Lock lock(mutex_);
  return scheduler_.activity(job);
}

std::vector<TaskScheduler::GivenUp> Dispatcher::take_given_up() {
  const Lock lock(mutex_);
  return scheduler_.take_given_up();
}

uint32_t Dispatcher::slots() const {
  const Lock lock(mutex_);
  return scheduler_.slots();
}

Address Dispatcher::results_of(ServerId server) const {
  const Lock lock(mutex_);
  const auto box = boxes_.find(server);
  return box == boxes_.end() ? Address{} : box->second->results;
}

}  // namespace cairn
