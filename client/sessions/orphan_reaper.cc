#include "client/sessions/orphan_reaper.h"

#include <algorithm>

namespace cairn {

namespace {
constexpr size_t kBatch = 256;
constexpr Duration kLongestWait = 200ms;
}  // namespace

OrphanReaper::OrphanReaper(MetaClient& meta, Clock& clock, Statistics& statistics)
    : meta_(meta), clock_(clock), statistics_(statistics) {
  thread_ = Thread("cairn-orphans", [this] { loop(); });
}

void OrphanReaper::forget(InodeId inode) {
  Lock lock(mutex_);
  waiting_.push_back(inode);
  if (waiting_.size() == 1) tell_at_ = clock_.now() + kLongestWait;
  if (waiting_.size() == 1 || waiting_.size() == kBatch) changed_.notify_all();
}

Status OrphanReaper::tell(std::vector<InodeId> inodes) {
  TRY(meta_.forget_orphans({inodes}));
  statistics_.orphans_forgotten += inodes.size();
  return {};
}

Status OrphanReaper::flush() {
  std::vector<InodeId> inodes;
  {
    Lock lock(mutex_);
    inodes.swap(waiting_);
    tell_at_ = Instant::never();
  }
  for (size_t i = 0; i < inodes.size(); i += kBatch) {
    const auto from = inodes.begin() + static_cast<std::ptrdiff_t>(i);
    TRY(tell({from, from + static_cast<std::ptrdiff_t>(std::min(kBatch, inodes.size() - i))}));
  }
  return {};
}

void OrphanReaper::stop() {
  {
    Lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void OrphanReaper::loop() {
  Lock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty() || (waiting_.size() < kBatch && clock_.now() < tell_at_)) {
      changed_.wait_until(lock, waiting_.empty() ? Instant::never() : tell_at_);
      continue;
    }
    const size_t count = std::min(kBatch, waiting_.size());
    std::vector<InodeId> batch(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    tell_at_ = clock_.now() + kLongestWait;
    lock.unlock();
    const Status told = tell(batch);
    lock.lock();
    if (!told.ok() && (told.code() == Errc::unavailable || told.code() == Errc::timed_out)) {
      waiting_.insert(waiting_.end(), batch.begin(), batch.end());
    }
  }
}

}  // namespace cairn
