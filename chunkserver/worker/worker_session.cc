#include "chunkserver/worker/worker_session.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "client/filesystem.h"
#include "common/base/random.h"

namespace cairn {
namespace {

constexpr Duration kAgain = 1s;  // after a failure that was answered at once

}  // namespace

void WorkerSession::start() {
  thread_ = Thread("worker-session", [this] { run(); });
}

void WorkerSession::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void WorkerSession::lost(SessionId session) {
  Lock lock(mutex_);
  if (session != meta_.session()) return;  // another one is open already
  open_ = false;
  changed_.notify_all();
}

bool WorkerSession::wait_until_open(Instant deadline) {
  Lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return open_ || stopping_; }) && open_;
}

void WorkerSession::run() {
  Lock lock(mutex_);
  while (!stopping_) {
    const bool was_open = open_;
    lock.unlock();
    was_open ? renew() : open();
    lock.lock();
    const bool is_open = open_;
    const Instant until = is_open ? core_.renew_at() : clock_.now() + kAgain;
    changed_.wait_until(lock, until, [&] { return stopping_ || is_open != open_; });
  }
}

void WorkerSession::open() {
  SessionRequest request;
  request.name = name_;
  request.host = Filesystem::host();
  request.pid = ::getpid();
  request.nonce = seed_ == 0 ? random_seed() : mix64(seed_ + ++opened_);
  const Instant asked_at = clock_.now();
  const Result<SessionGrant> grant = meta_.open_session(request);
  Lock lock(mutex_);
  if (!grant.ok()) {
    if (!stopping_) spdlog::warn("no session: {}", grant.error().what);
    return;
  }
  spdlog::info("session {} is open", raw(grant->session));
  core_.on_renewed(asked_at, grant->ttl);
  open_ = true;
  changed_.notify_all();
}

void WorkerSession::renew() {
  const Instant asked_at = clock_.now();
  const auto renewed = meta_.renew_session();
  Lock lock(mutex_);
  if (renewed.ok()) {
    core_.on_renewed(asked_at, renewed->ttl);
  } else if (renewed.code() == Errc::no_session) {
    spdlog::warn("the session is lost: {}", renewed.error().what);
    open_ = false;
  } else {
    core_.on_renewal_failed(clock_.now());
  }
}

}  // namespace cairn
