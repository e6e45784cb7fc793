#include "client/fuse/second_tries.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

namespace cairn {
namespace {

constexpr Duration kComesWithin = 200ms;  // a second try
constexpr Duration kHeldFor = 1s;
constexpr size_t kMostRefused = 256, kMostHeld = 256;
constexpr int kAttempts = 16;  // a lookup and an open with nothing in between by the other mount

}  // namespace

SecondTries::SecondTries(Filesystem& filesystem, Clock& clock)
    : filesystem_(filesystem), clock_(clock), thread_([this] { run(); }) {}

SecondTries::~SecondTries() { stop(); }

void SecondTries::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SecondTries::refused(pid_t thread) {
  const std::lock_guard lock(mutex_);
  if (refused_.size() == kMostRefused) refused_.pop_front();
  refused_.push_back({thread, clock_.now() + kComesWithin});
  count_.store(refused_.size());
}

bool SecondTries::is_second(pid_t thread) {
  if (count_.load() == 0) return false;
  const std::lock_guard lock(mutex_);
  const Instant now = clock_.now();
  while (!refused_.empty() && refused_.front().until < now) refused_.pop_front();
  count_.store(refused_.size());
  return std::ranges::find(refused_, thread, &Refused::thread) != refused_.end();
}

Result<Entry> SecondTries::lookup(pid_t thread, InodeId parent, const std::string& name) {
  Result<Entry> found = filesystem_.lookup(parent, name);
  if (!found.ok() || S_ISDIR(found->attributes.mode) || !is_second(thread)) return found;
  for (int i = 0; i < kAttempts; ++i) {
    const Result<FileHandle> handle = filesystem_.open(found->attributes.inode, false, false);
    if (handle.ok()) {
      hold(*handle);
      return found;
    }
    if (handle.code() != Errc::stale_handle && handle.code() != Errc::not_found) return found;
    found = filesystem_.lookup(parent, name);
    if (!found.ok() || S_ISDIR(found->attributes.mode)) return found;
  }
  return found;
}

void SecondTries::hold(FileHandle handle) {
  {
    const std::lock_guard lock(mutex_);
    if (held_.size() < kMostHeld && !stopping_) {
      held_.push_back({handle, clock_.now() + kHeldFor});
      changed_.notify_all();
      return;
    }
  }
  give_back(handle);
}

// Nothing was written by it, so there is no program to tell.
void SecondTries::give_back(FileHandle handle) {
  if (const Status released = filesystem_.release(handle); !released.ok())
    spdlog::warn("a descriptor held for a second try: {}", released.error().what);
}

void SecondTries::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !held_.empty(); });
    if (held_.empty()) return;
    const Held first = held_.front();
    changed_.wait_for(lock, first.until - clock_.now(), [this] { return stopping_; });
    held_.pop_front();
    lock.unlock();
    give_back(first.handle);
    lock.lock();
  }
}

}  // namespace cairn
