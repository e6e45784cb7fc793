#include "chunkserver/heartbeat.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace cairn {

Duration HeartbeatPlan::on_answer(Duration interval) {
  backoff_ = kFirstBackoff;
  return std::clamp(interval, kShortest, kLongest);
}

Duration HeartbeatPlan::on_failure(Errc code) {
  bool unknown = code == Errc::unavailable || code == Errc::timed_out || code == Errc::busy || code == Errc::io;
  if (!unknown) return kRefusedPause;
  Duration pause = backoff_;
  backoff_ = std::min(backoff_ * 2, kLongestBackoff);
  return pause;
}

Heartbeater::Heartbeater(Clock& clock, IdentityFile& identity, Describe describe, Send send)
    : clock_(clock), identity_(identity), describe_(std::move(describe)), send_(std::move(send)) {}

Heartbeater::~Heartbeater() { stop(); }

void Heartbeater::start() {
  thread_ = Thread("heartbeat", [this] { run(); });
}

void Heartbeater::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool Heartbeater::registered() const {
  Lock lock(mutex_);
  return registered_;
}

bool Heartbeater::wait_until_registered(Instant deadline) {
  Lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return registered_ || stopping_; }) && registered_;
}

void Heartbeater::run() {
  for (;;) {
    Instant next = clock_.now() + beat();
    Lock lock(mutex_);
    if (changed_.wait_until(lock, next, [this] { return stopping_; })) return;
  }
}

Duration Heartbeater::beat() {
  auto answer = [&]() -> Result<HeartbeatAnswer> {
    ASSIGN(Heartbeat report, describe_());
    ASSIGN(HeartbeatAnswer answered, send_(report));
    TRY(identity_.adopt(answered.incarnation, answered.server));
    return answered;
  }();
  if (!answer.ok()) {
    tell(answer.error());
    return plan_.on_failure(answer.code());
  }
  tell(std::nullopt);
  {
    Lock lock(mutex_);
    if (!registered_) {
      registered_ = true;
      changed_.notify_all();
    }
  }
  return plan_.on_answer(answer->interval);
}

void Heartbeater::tell(const std::optional<Error>& problem) {
  auto code = problem ? std::optional(problem->code) : std::nullopt;
  if (told_anything_ && told_ == code) return;
  told_anything_ = true;
  told_ = code;
  if (problem) {
    spdlog::warn("no heartbeat: {}", problem->what);
  } else {
    Identity identity = identity_.get();
    spdlog::info("registered as server {} of cluster incarnation {:x}", raw(identity.server),
                 raw(identity.incarnation));
  }
}

}  // namespace cairn
