#include "chunkserver/worker/worker.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "chunkserver/worker/service.h"
#include "common/base/random.h"
#include "common/probes/kill_point.h"
#include "common/probes/rare_path.h"

namespace cairn {
namespace {

constexpr Duration kBusyPoll = 1s;      // while something runs: how old the metaserver's picture of it may be
constexpr Duration kIdlePoll = 2s;      // an order ends it at once; a metaserver takes a worker for gone after three
constexpr Duration kPollAgain = 500ms;  // after one that failed
constexpr Duration kCallTimeout = 10s;
constexpr Duration kCleanEvery = 10s;

std::string text_of(const TaskRef& ref) {
  return fmt::format("job {} {} task {} attempt {}", raw(ref.job), name_of(ref.phase), ref.task, raw(ref.attempt));
}

}  // namespace

Worker::Worker(Network& network, Clock& clock, Disk& disk, WorkerOptions options)
    : network_(network),
      clock_(clock),
      disk_(disk),
      options_(std::move(options)),
      meta_(network, clock, options_.metaserver, MetaClient::Options{.call_timeout = kCallTimeout}),
      cluster_(meta_),
      jobs_(meta_, programs_),
      spool_(disk, options_.data),
      results_(network, clock, worker_processors(spool_), kWorkerRpcLimits),
      session_(meta_, clock, fmt::format("worker of server {}", raw(options_.own)), options_.seed) {}

Status Worker::start() {
  TRY(spool_.open());
  TRY(results_.start(options_.listen));
  session_.start();
  for (uint32_t i = 0; i < options_.slots; ++i) {
    slots_.push_back(std::make_unique<Slot>(network_, clock_, cluster_));
    Slot& slot = *slots_.back();
    slot.thread = Thread("task-slot", [this, &slot] { slot_loop(slot); });
  }
  poller_ = Thread("task-poll", [this] { poll_loop(); });
  return {};
}

void Worker::stop() {
  bool tell = session_.wait_until_open(clock_.now());
  {
    Lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    for (auto& [ref, given] : given_) {
      if (given.attempt != nullptr) given.attempt->cancel();
    }
    tell = tell && reachable_.value_or(true);
    changed_.notify_all();
  }
  // So that the metaserver gives our tasks to others now, not when we have been silent for long.
  if (tell && !meta_.close_session().ok()) spdlog::info("the metaserver was not told of our end");
  meta_.shut_down();
  session_.stop();
  if (poller_.joinable()) poller_.join();
  for (const auto& slot : slots_) slot->thread.join();
  results_.stop();
}

void Worker::poll_loop() {
  for (;;) {
    {
      Lock lock(mutex_);
      if (stopping_) return;
    }
    if (session_.wait_until_open(clock_.now() + kPollAgain)) poll();
    clean_spool();
  }
}

// Of a job that is done without an output the results are kept for its submitter, as long as the metaserver keeps it.
void Worker::clean_spool() {
  if (clock_.now() < cleaned_at_ + kCleanEvery) return;
  cleaned_at_ = clock_.now();
  for (const JobId job : spool_.jobs()) {
    const Result<JobStatus> status = meta_.job_status(job);
    const bool gone = !status.ok() && status.code() == Errc::not_found;
    const bool useless = status.ok() && is_over(status->phase) && (status->phase != JobPhase::done || status->output);
    if (gone || useless) spool_.forget(job);
  }
}

void Worker::poll() {
  const SessionId session = meta_.session();
  Result<TaskOrders> orders = meta_.poll_tasks(describe());
  {
    Lock lock(mutex_);
    if (reachable_ != orders.ok() && !stopping_) {
      if (orders.ok()) spdlog::info("asking {} for tasks, {} at once", options_.metaserver.text(), options_.slots);
      if (!orders.ok()) spdlog::warn("no orders: {}", orders.error().what);
    }
    reachable_ = orders.ok();
  }
  if (orders.ok()) return take(std::move(*orders));
  if (orders.code() == Errc::no_session) session_.lost(session);
  pause(kPollAgain);
}

TaskPoll Worker::describe() {
  TaskPoll poll;
  poll.server = options_.own;
  poll.slots = options_.slots;
  poll.results = results_.address();
  if (!options_.advertise_host.empty()) poll.results.host = options_.advertise_host;
  Lock lock(mutex_);
  for (const auto& [ref, given] : given_) {
    if (given.dropped) {  // and still in its slot
      --poll.slots;
    } else {
      poll.running.push_back({ref, given.attempt == nullptr ? 0 : given.attempt->bytes_done()});
    }
  }
  poll.wait = given_.empty() ? kIdlePoll : kBusyPoll;
  return poll;
}

void Worker::take(TaskOrders orders) {
  Lock lock(mutex_);
  for (Assignment& assignment : orders.start) {
    const TaskRef ref = assignment.ref;
    if (given_.contains(ref)) continue;
    given_[ref].waiting = std::make_unique<Assignment>(std::move(assignment));
    queue_.push_back(ref);
  }
  for (const TaskRef& ref : orders.drop) {
    const auto found = given_.find(ref);
    if (found == given_.end()) continue;
    found->second.dropped = true;
    if (found->second.attempt != nullptr) {
      found->second.attempt->cancel();
    } else {
      std::erase(queue_, ref);
      given_.erase(found);
    }
  }
  changed_.notify_all();
}

void Worker::slot_loop(Slot& slot) {
  while (const std::shared_ptr<Attempt> attempt = next_attempt(slot)) {
    spdlog::debug("{} begins", text_of(attempt->ref()));
    kill_point(KillPoint::task_taken);
    const FinishTask finish = attempt->run();
    if (finish.counters.bytes_decoded > 0) reached(RarePath::decoded_task);
    if (!finish.failure)
      kill_point(attempt->ref().phase == JobPhase::merging ? KillPoint::output_written : KillPoint::task_done);
    report(*attempt, finish);
    Lock lock(mutex_);
    given_.erase(attempt->ref());
  }
}

std::shared_ptr<Attempt> Worker::next_attempt(Slot& slot) {
  Lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  if (stopping_) return nullptr;
  Given& given = given_[queue_.front()];
  queue_.pop_front();
  const uint64_t seed = options_.seed == 0 ? 0 : mix64(options_.seed + ++attempts_);
  const AttemptParts parts{network_, options_.metaserver,     meta_,        jobs_,        clock_,
                           disk_,    options_.data,           options_.own, slot.servers, slot.counted,
                           spool_,   options_.inline_partial, seed};
  given.attempt = make_attempt(parts, std::move(*given.waiting));
  given.waiting.reset();
  return given.attempt;
}

// A report that is refused as a whole (its job is gone, say) is dropped: the metaserver knows better.
void Worker::report(Attempt& attempt, const FinishTask& finish) {
  const std::string what = text_of(attempt.ref());
  if (finish.failure && finish.failure->code == Errc::interrupted) return spdlog::debug("{} was dropped", what);
  if (finish.failure) spdlog::warn("{} failed: {}", what, finish.failure->what);
  while (wanted(attempt.ref())) {
    const SessionId session = meta_.session();
    const Result<TaskVerdict> verdict = attempt.report(finish);
    if (verdict.ok()) return spdlog::debug("{} ended: verdict {}", what, static_cast<int>(*verdict));
    const Errc code = verdict.code();
    if (code == Errc::no_session) {
      session_.lost(session);
      (void)session_.wait_until_open(clock_.now() + kPollAgain);
    } else if (code != Errc::timed_out && code != Errc::unavailable && code != Errc::busy) {
      spdlog::warn("{}: the metaserver does not take its result: {}", what, verdict.error().what);
      if (!finish.failure) tell_refusal(attempt, finish, verdict.error());
      return;
    } else {
      pause(kPollAgain);
    }
  }
}

// The job's owner is to hear why, and not only that it did not work.
void Worker::tell_refusal(Attempt& attempt, const FinishTask& finish, const Error& why) {
  FinishTask refused;
  refused.ref = finish.ref;
  refused.server = finish.server;
  refused.counters = finish.counters;
  refused.failure = Error{Errc::io, "the metaserver does not take the result: " + why.what};
  if (const auto told = attempt.report(refused); !told.ok())  // then it counts as lost
    spdlog::warn("{}: neither does it take why: {}", text_of(attempt.ref()), told.error().what);
}

bool Worker::wanted(const TaskRef& ref) {
  Lock lock(mutex_);
  const auto found = given_.find(ref);
  return !stopping_ && found != given_.end() && !found->second.dropped;
}

void Worker::pause(Duration duration) {
  Lock lock(mutex_);
  changed_.wait_until(lock, clock_.now() + duration, [this] { return stopping_; });
}

}  // namespace cairn
