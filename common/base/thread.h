// Threads, mutexes and condition variables that a simulation can turn into fibers of one thread.
//
// In a process they are std::thread, std::mutex and std::condition_variable behind one predicted branch. Where a
// Scheduler is installed (tests/sim), a Thread is a fiber and every wait hands control to the scheduler, so a whole
// cluster runs on one thread from one seed, unchanged.
//
// Rule that makes this work, and is checked in a simulation: a Mutex is never held across an RPC, disk I/O, a
// CondVar wait with another mutex, or a callback. So a fiber never finds a Mutex taken.
// Not here: waiting for peers or disks (network.h, disk.h).
#pragma once

#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "common/base/clock.h"

namespace cairn {

// What a simulation installs. All calls come from the one thread that runs the simulation.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  // Starts body as a fiber of the current simulated process; returns its id.
  virtual uint64_t spawn(std::string name, std::function<void()> body) = 0;
  virtual void join(uint64_t fiber) = 0;
  // Parks the running fiber under key until wake(key) or the deadline. True if woken, false at the deadline.
  virtual bool park(const void* key, Instant deadline) = 0;
  virtual void wake(const void* key, bool all) = 0;
  virtual Instant now() const = 0;
  virtual void describe_running(std::FILE* to) const = 0;  // names process and fiber, for a last message
};
extern thread_local Scheduler* current_scheduler;  // null in a real process

class Mutex {
 public:
  void lock() {
    if (current_scheduler == nullptr) [[likely]]
      return mutex_.lock();
    lock_in_simulation();
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  friend class CondVar;
  void lock_in_simulation();  // stops the process if the mutex is taken: the rule above was broken
  std::mutex mutex_;
};
using Lock = std::unique_lock<Mutex>;

class CondVar {
 public:
  void wait(Lock& lock) { (void)wait_until(lock, Instant::never()); }
  // False at the deadline (of the monotonic clock). May wake without cause: wait in a loop.
  bool wait_until(Lock& lock, Instant deadline);
  template <typename Predicate>
  bool wait_until(Lock& lock, Instant deadline, Predicate done) {
    while (!done()) {
      if (!wait_until(lock, deadline)) return done();
    }
    return true;
  }
  template <typename Predicate>
  void wait(Lock& lock, Predicate done) {
    while (!done()) wait(lock);
  }
  void notify_one();
  void notify_all();

 private:
  std::condition_variable condition_;
};

// Joined by join(), the destructor or an assignment, which wait: the owner tells its loop to end first.
class Thread {
 public:
  Thread() = default;
  Thread(std::string name, std::function<void()> body);  // name: at most 15 characters are shown by the kernel
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread();
  void join();
  bool joinable() const { return joinable_; }

 private:
  std::thread thread_;
  Scheduler* scheduler_ = nullptr;
  uint64_t fiber_ = 0;
  bool joinable_ = false;
};

}  // namespace cairn
