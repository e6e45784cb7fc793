#include "metaserver/jobs/planner.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace cairn {

namespace {

constexpr uint32_t kPinStep = 4096;     // extents and files
constexpr uint32_t kAskedAtOnce = 64;   // inputs whose writers give back their leases first
constexpr uint32_t kCutStep = 8192;     // extents
constexpr uint32_t kRemoveStep = 4096;  // rows
constexpr int kStepsOfARound = 16;      // of each job
constexpr uint32_t kMostListed = 4096;  // jobs that are looked at for cleaning up

}  // namespace

JobPlanner::JobPlanner(Clock& clock, Committer& committer, const OrderedStore& store, Leases& leases,
                       Admission& admission, Dispatcher& dispatcher, Options options)
    : clock_(clock),
      committer_(committer),
      store_(store),
      leases_(leases),
      admission_(admission),
      dispatcher_(dispatcher),
      options_(options) {}

JobPlanner::~JobPlanner() { stop(); }

void JobPlanner::start() {
  thread_ = Thread("jobs", [this] { run(); });
}

void JobPlanner::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void JobPlanner::wake() {
  {
    const Lock lock(mutex_);
    awake_ = true;
  }
  changed_.notify_one();
}

bool JobPlanner::stopping() const {
  const Lock lock(mutex_);
  return stopping_;
}

void JobPlanner::run() {
  for (bool more = false; true;) {
    {
      Lock lock(mutex_);
      if (!more) changed_.wait_until(lock, clock_.now() + options_.look_every, [&] { return stopping_ || awake_; });
      if (stopping_) return;
      awake_ = false;
    }
    const Result<bool> done = round();
    more = done.ok() && *done;
    if (!done.ok()) spdlog::warn("near-data jobs go on in the next round: {}", done.error().what);
  }
}

Result<bool> JobPlanner::round() {
  ages_.begin_round(clock_.now(), clock_.wall_ns());
  dispatcher_.tick();
  TRY(fail_given_up());
  bool more = false;
  ASSIGN(const JobsRow jobs, queries::live_jobs(*store_.view()));
  if (dispatcher_.slots() > 0 || jobs.live.empty()) {
    without_workers_.reset();
  } else if (!without_workers_) {
    without_workers_ = clock_.now();
  }
  for (const LiveJob& live : jobs.live) {
    if (stopping()) return false;
    const Result<bool> again = advance(live.job);
    if (!again.ok()) spdlog::warn("job {} goes on in the next round: {}", raw(live.job), again.error().what);
    more |= again.ok() && *again;
  }
  ASSIGN(const bool dirty, clean_up());
  if (!stopping()) ages_.end_round();
  return more || dirty;
}

Result<bool> JobPlanner::advance(JobId id) {
  bool more = false;
  for (int step = 0; step < kStepsOfARound; ++step) {
    const auto job = queries::job(*store_.view(), id);
    if (!job.ok() && job.code() == Errc::not_found) break;
    if (!job.ok()) return job.error();
    if (std::optional<Error> late = overdue(*job)) {
      TRY(propose(FailJob{id, std::move(*late)}));
      break;
    }
    ASSIGN(more, plan(*job));
    if (!more) break;
  }
  TRY(dispatcher_.refresh(id));
  return more;
}

// One step. True: another may follow.
Result<bool> JobPlanner::plan(const queries::JobRecord& job) {
  const JobStateRow& state = job.state;
  if (state.phase == JobPhase::planning && state.pinned < job.row.inputs) {
    const Status pinned = pin(job);
    if (!pinned.ok() && pinned.code() == Errc::busy) return false;  // a mount holds it: the other jobs go on
    TRY(pinned);
    return true;
  }
  if (state.phase == JobPhase::planning) {
    TRY(propose(CutTasks{job.job, kCutStep}));
    return true;
  }
  if (state.phase == JobPhase::surveying && job.row.quote_states && state.surveyed == state.to_survey) {
    TRY(propose(SetQuoteStates{job.job}));
    return true;
  }
  return false;
}

// What other mounts hold back of the inputs is committed first, so that what a finished call wrote is pinned.
Status JobPlanner::pin(const queries::JobRecord& job) {
  ASSIGN(const auto files, queries::job_files(*store_.view(), job.job, job.state.pinned, kAskedAtOnce));
  std::vector<InodeId> inodes;
  for (const JobFileRow& file : files) inodes.push_back(file.inode);
  ASSIGN(const Leases::Change quiet, leases_.admit_change(SessionId{}, inodes));
  return propose(PinInputs{job.job, kPinStep, static_cast<uint32_t>(files.size())});
}

std::optional<Error> JobPlanner::overdue(const queries::JobRecord& job) {
  const Duration age = ages_.since(job.job, JobAges::Event::submitted, job.row.submitted_ns);
  if (job.state.phase == JobPhase::receiving && age > options_.receive_within)
    return Error{Errc::timed_out, "its inputs were not all told; was the program that submitted it stopped?"};
  if (age > std::chrono::milliseconds(job.row.time_limit_ms))
    return Error{Errc::timed_out,
                 fmt::format("its time limit of {} s is over (it was {}); give it more with --time-limit",
                             job.row.time_limit_ms / 1000, name_of(job.state.phase))};
  const bool needs_workers = job.state.phase >= JobPhase::surveying && job.state.phase <= JobPhase::merging;
  if (needs_workers && without_workers_ && clock_.now() - *without_workers_ > options_.workers_within &&
      age > options_.workers_within)
    return Error{Errc::unavailable, "no chunkserver offers a slot for tasks; start them with task_slots of at least 1"};
  return std::nullopt;
}

Status JobPlanner::fail_given_up() {
  for (const TaskScheduler::GivenUp& given_up : dispatcher_.take_given_up()) {
    TRY(propose(
        FailJob{given_up.job, Error{Errc::io, fmt::format("task {} failed, or was lost with its worker, {} times; "
                                                          "the workers' logs say more",
                                                          given_up.task, given_up.times)}}));
    TRY(dispatcher_.refresh(given_up.job));
  }
  return {};
}

// Jobs that are over: their pins at once, the rest when they are old or too many.
Result<bool> JobPlanner::clean_up() {
  const auto view = store_.view();
  ASSIGN(const auto all, queries::jobs(*view, JobId{}, kMostListed));
  std::vector<queries::JobRecord> over;
  for (const JobId id : all) {
    ASSIGN(queries::JobRecord job, queries::job(*view, id));
    if (is_over(job.state.phase)) over.push_back(std::move(job));
  }
  bool more = false;
  for (size_t i = 0; i < over.size() && !stopping(); ++i) {
    const bool old = ages_.since(over[i].job, JobAges::Event::over, over[i].state.over_ns) > options_.keep ||
                     over.size() - i > options_.keep_most;
    if (over[i].state.pins_removed && !old) continue;
    const Result<bool> cleaned = clean_up(over[i], old);
    if (!cleaned.ok())
      spdlog::warn("job {} is cleaned up in the next round: {}", raw(over[i].job), cleaned.error().what);
    more |= cleaned.ok() && *cleaned;
  }
  return more;
}

// False: it has to wait.
Result<bool> JobPlanner::clean_up(const queries::JobRecord& job, bool whole) {
  if (!job.state.hidden_removed) {
    const Status removed = remove_hidden(job);
    if (!removed.ok() && removed.code() == Errc::busy) return false;  // a mount looks at the directory: later
    TRY(removed);
  }
  TRY(propose(RemoveJobRows{job.job, kRemoveStep, whole}));
  return true;
}

// Files of attempts of merging that did not become the output.
Status JobPlanner::remove_hidden(const queries::JobRecord& job) {
  if (!job.row.output) return {};
  for (const AttemptId attempt : job.state.merges) {
    const RemoveName remove{job.row.output->parent, hidden_name(job.job, attempt), false};
    const Outcome outcome = admission_.change(Command{{}, 0, remove});
    const bool gone = !outcome.ok() && (outcome.code() == Errc::not_found || outcome.code() == Errc::stale_handle ||
                                        outcome.code() == Errc::not_directory || outcome.code() == Errc::is_directory);
    if (!outcome.ok() && !gone) return outcome.error();
  }
  return {};
}

Status JobPlanner::propose(CommandBody body) {
  const Outcome outcome = committer_.propose(std::move(body));
  return outcome.ok() ? Status{} : Status(outcome.error());
}

}  // namespace cairn
