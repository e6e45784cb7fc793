#include "common/base/thread.h"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>

namespace cairn {

thread_local Scheduler* current_scheduler = nullptr;

void Mutex::lock_in_simulation() {
  if (mutex_.try_lock()) return;
  std::fprintf(stderr,
               "simulation: a Mutex was found locked: it is held across a wait (RPC, disk, CondVar, callback)\n");
  current_scheduler->describe_running(stderr);
  std::abort();
}

bool CondVar::wait_until(Lock& lock, Instant deadline) {
  if (current_scheduler != nullptr) {
    lock.unlock();
    const bool woken = current_scheduler->park(this, deadline);
    lock.lock();
    return woken;
  }
  // The native condition variable on the native mutex: half the cost of condition_variable_any.
  std::unique_lock<std::mutex> native(lock.mutex()->mutex_, std::adopt_lock);
  bool woken = true;
  if (deadline == Instant::never()) {
    condition_.wait(native);
  } else {
    const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline.ns)};
    woken = condition_.wait_until(native, until) == std::cv_status::no_timeout;
  }
  native.release();  // lock still owns it
  return woken;
}

void CondVar::notify_one() {
  if (current_scheduler != nullptr) return current_scheduler->wake(this, false);
  condition_.notify_one();
}

void CondVar::notify_all() {
  if (current_scheduler != nullptr) return current_scheduler->wake(this, true);
  condition_.notify_all();
}

Thread::Thread(std::string name, std::function<void()> body) : joinable_(true) {
  if (current_scheduler != nullptr) {
    scheduler_ = current_scheduler;
    fiber_ = scheduler_->spawn(std::move(name), std::move(body));
    return;
  }
  name.resize(std::min<size_t>(name.size(), 15));
  thread_ = std::thread([name = std::move(name), body = std::move(body)] {
    ::pthread_setname_np(::pthread_self(), name.c_str());
    body();
  });
}

Thread::Thread(Thread&& other) noexcept
    : thread_(std::move(other.thread_)),
      scheduler_(other.scheduler_),
      fiber_(other.fiber_),
      joinable_(std::exchange(other.joinable_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this == &other) return *this;
  join();
  thread_ = std::move(other.thread_);
  scheduler_ = other.scheduler_;
  fiber_ = other.fiber_;
  joinable_ = std::exchange(other.joinable_, false);
  return *this;
}

Thread::~Thread() { join(); }

void Thread::join() {
  if (!std::exchange(joinable_, false)) return;
  if (scheduler_ != nullptr) return scheduler_->join(fiber_);
  thread_.join();
}

}  // namespace cairn
