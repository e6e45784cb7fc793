#include "client/cache/block_cache.h"

#include <algorithm>

#include "common/base/random.h"

namespace cairn {

namespace {
constexpr size_t kTouchedStripes = 32;
}

size_t StripeKeyHash::operator()(const StripeKey& key) const {
  return mix64(raw(key.chunk) * 0x9e3779b97f4a7c15 + key.place);
}

std::shared_ptr<const CachedStripe> BlockCache::find(const StripeKey& key, Instant deadline) {
  Lock lock(mutex_);
  while (true) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (found->second.stripe != nullptr) {
      recent_.splice(recent_.begin(), recent_, found->second.recency);
      return found->second.stripe;
    }
    if (!arrived_.wait_until(lock, deadline)) return nullptr;
  }
}

bool BlockCache::claim(const StripeKey& key, uint64_t from, uint64_t to) {
  Lock lock(mutex_);
  const auto [entry, absent] = entries_.try_emplace(key);
  if (absent) return true;
  if (entry->second.stripe == nullptr || entry->second.stripe->covers(from, to)) return false;
  remove(entry);
  entries_.try_emplace(key);
  return true;
}

void BlockCache::remove(Entries::iterator entry) {
  cached_bytes_ -= entry->second.stripe->bytes.size();
  recent_.erase(entry->second.recency);
  entries_.erase(entry);
}

void BlockCache::fulfil(const StripeKey& key, std::shared_ptr<const CachedStripe> stripe) {
  Lock lock(mutex_);
  Entry& entry = entries_[key];
  cached_bytes_ += stripe->bytes.size();
  recent_.push_front(key);
  entry = {std::move(stripe), recent_.begin()};
  while (cached_bytes_ > limit_bytes_ && !recent_.empty()) remove(entries_.find(recent_.back()));
  arrived_.notify_all();
}

void BlockCache::abandon(const StripeKey& key) {
  Lock lock(mutex_);
  entries_.erase(key);
  arrived_.notify_all();
}

bool BlockCache::note_small_read(const StripeKey& key, InodeId inode) {
  Lock lock(mutex_);
  const auto found = std::find_if(touched_.begin(), touched_.end(), [&](const Touched& t) { return t.key == key; });
  if (found != touched_.end()) {
    const bool other = found->inode != inode;
    found->inode = inode;
    touched_.splice(touched_.begin(), touched_, found);
    return other;
  }
  touched_.push_front({key, inode});
  if (touched_.size() > kTouchedStripes) touched_.pop_back();
  return false;
}

void BlockCache::clear() {
  Lock lock(mutex_);
  for (const StripeKey& key : recent_) entries_.erase(key);
  recent_.clear();
  cached_bytes_ = 0;
}

uint64_t BlockCache::entries() const {
  Lock lock(mutex_);
  return recent_.size();
}

uint64_t BlockCache::cached_bytes() const {
  Lock lock(mutex_);
  return cached_bytes_;
}

}  // namespace cairn
