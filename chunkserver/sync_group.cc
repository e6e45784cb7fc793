#include "chunkserver/sync_group.h"

namespace cairn {

SyncGroup::Step SyncGroup::want(uint64_t position) {
  if (position <= synced_) return Step::done;
  if (failure_) return Step::failed;
  if (syncing_) return Step::follow;
  assert(position <= written_);
  syncing_ = written_;
  return Step::lead;
}

void SyncGroup::finished(const Status& result) {
  assert(syncing_);
  if (result.ok()) {
    synced_ = *syncing_;
  } else {
    failure_ = result.error();
  }
  syncing_.reset();
}

void SharedSync::on_written(uint64_t position) {
  Lock lock(mutex_);
  group_.on_written(position);
}

uint64_t SharedSync::advance() {
  Lock lock(mutex_);
  group_.on_written(group_.written() + 1);
  return group_.written();
}

Status SharedSync::wait(uint64_t position, const std::function<Status()>& sync_now) {
  Lock lock(mutex_);
  for (;;) {
    switch (group_.want(position)) {
      case SyncGroup::Step::done:
        return {};
      case SyncGroup::Step::failed:
        return *group_.failure();
      case SyncGroup::Step::follow:
        finished_.wait(lock);
        break;
      case SyncGroup::Step::lead: {
        ++led_;
        lock.unlock();
        Status result = sync_now();
        lock.lock();
        group_.finished(result);
        finished_.notify_all();
        break;
      }
    }
  }
}

Status SharedSync::wait_all(const std::function<Status()>& sync_now) { return wait(written(), sync_now); }

uint64_t SharedSync::written() const {
  Lock lock(mutex_);
  return group_.written();
}

std::optional<Error> SharedSync::failure() const {
  Lock lock(mutex_);
  return group_.failure();
}

bool SharedSync::durable(uint64_t position) const {
  Lock lock(mutex_);
  return position <= group_.synced();
}

bool SharedSync::dirty() const {
  Lock lock(mutex_);
  return group_.synced() < group_.written() && !group_.failure();
}

uint64_t SharedSync::syncs() const {
  Lock lock(mutex_);
  return led_;
}

}  // namespace cairn
