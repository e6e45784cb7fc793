#include "chunkserver/file_cache.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr size_t kCleanSearch = 64;  // of the oldest entries, before a dirty one is synced to make room

bool dirty(const std::shared_ptr<SharedSync>& sync) { return sync && sync->dirty(); }

}  // namespace

FileCache::FileCache(size_t capacity) : capacity_(std::max<size_t>(capacity, 1)) {}

std::shared_ptr<File> FileCache::find(Serial serial) {
  Lock lock(mutex_);
  auto found = by_serial_.find(serial);
  if (found == by_serial_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->file;
}

std::shared_ptr<File> FileCache::keep(Serial serial, std::shared_ptr<File> file, std::shared_ptr<SharedSync> sync) {
  std::vector<Entry> victims;
  std::shared_ptr<File> kept;
  {
    Lock lock(mutex_);
    auto found = by_serial_.find(serial);
    if (found != by_serial_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
    } else {
      entries_.push_front({serial, std::move(file), nullptr});
      by_serial_[serial] = entries_.begin();
    }
    entries_.front().sync = std::move(sync);
    kept = entries_.front().file;
    while (entries_.size() > capacity_) {
      auto victim = choose_victim();
      by_serial_.erase(victim->serial);
      victims.push_back(std::move(*victim));
      entries_.erase(victim);
    }
  }
  for (Entry& victim : victims) {
    if (!dirty(victim.sync)) continue;
    Status synced = victim.sync->wait_all([&] { return victim.file->sync_data(); });
    // The group keeps the failure, so the shard's next append or sync is refused with it.
    if (!synced.ok()) spdlog::error("sync of a file that was let go: {}", synced.error().what);
  }
  return kept;
}

void FileCache::forget(Serial serial) {
  std::shared_ptr<File> closed_after_unlock;
  Lock lock(mutex_);
  auto found = by_serial_.find(serial);
  if (found == by_serial_.end()) return;
  closed_after_unlock = std::move(found->second->file);
  entries_.erase(found->second);
  by_serial_.erase(found);
  lock.unlock();
}

size_t FileCache::size() const {
  Lock lock(mutex_);
  return entries_.size();
}

std::list<FileCache::Entry>::iterator FileCache::choose_victim() {
  auto oldest = std::prev(entries_.end());
  auto candidate = oldest;
  for (size_t i = 0; i < kCleanSearch && candidate != entries_.begin(); ++i, --candidate) {
    if (!dirty(candidate->sync)) return candidate;
  }
  return oldest;
}

}  // namespace cairn
