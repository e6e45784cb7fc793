// What is known of inodes beyond their attributes, bounded in bytes for each inode and in all: the least recently used
// inode's goes first.
//
// Whether it is true, the inode's lease says (lease_keeper.h): callers hold the inode's mutex. Any thread; the mutex
// here is a leaf.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

// Value: made empty; empty(); bytes(), what it occupies on the heap.
template <typename Value>
class InodeLru {
 public:
  struct Limits {
    size_t bytes = 0;         // of all
    size_t bytes_of_one = 0;  // what is larger is not kept
  };
  explicit InodeLru(Limits limits) : limits_(limits) {}

  // What use() makes of the inode's value, or of an empty one. Called with the mutex.
  template <typename Use>
  auto look(InodeId inode, const Use& use) {
    const Lock lock(mutex_);
    const auto found = slots_.find(inode);
    if (found == slots_.end()) return use(Value{});
    recent_.splice(recent_.begin(), recent_, found->second.recency);
    return use(std::as_const(found->second.value));
  }
  // change(value), with the mutex.
  template <typename Change>
  void change(InodeId inode, const Change& change) {
    const Lock lock(mutex_);
    const auto [slot, made] = slots_.try_emplace(inode);
    if (made) slot->second.recency = recent_.insert(recent_.begin(), inode);
    recent_.splice(recent_.begin(), recent_, slot->second.recency);
    change(slot->second.value);
    const size_t before = slot->second.bytes;
    slot->second.bytes = kSlotBytes + slot->second.value.bytes();
    bytes_ = bytes_ - before + slot->second.bytes;
    if (slot->second.value.empty() || slot->second.bytes > limits_.bytes_of_one) erase(slot);
    while (bytes_ > limits_.bytes) erase(slots_.find(recent_.back()));
  }
  void forget(InodeId inode) {
    const Lock lock(mutex_);
    if (const auto found = slots_.find(inode); found != slots_.end()) erase(found);
  }
  void clear() {
    const Lock lock(mutex_);
    slots_.clear();
    recent_.clear();
    bytes_ = 0;
  }
  size_t bytes() const {
    const Lock lock(mutex_);
    return bytes_;
  }

 private:
  struct Slot {
    Value value;
    size_t bytes = 0;
    std::list<InodeId>::iterator recency;
  };
  using Slots = std::unordered_map<InodeId, Slot>;
  void erase(typename Slots::iterator slot) {
    bytes_ -= slot->second.bytes;
    recent_.erase(slot->second.recency);
    slots_.erase(slot);
  }
  // The nodes of the table and the list, their share of the buckets, and what the allocator adds.
  static constexpr size_t kSlotBytes = sizeof(Slot) + 96;

  const Limits limits_;
  mutable Mutex mutex_;
  Slots slots_;                // guarded by mutex_, as the rest
  std::list<InodeId> recent_;  // most recently used first
  size_t bytes_ = 0;
};

}  // namespace cairn
