#include "client/inodes/inode_cache.h"

#include <algorithm>

namespace cairn {

bool Inode::dirty() const { return file_ && (!file_->dirty.empty() || !file_->flushing.empty()); }

uint64_t Inode::size() const {
  uint64_t size = attributes.size;
  if (file_) {
    size = std::max(size, file_->dirty.size_at_least());
    for (const auto& layer : file_->flushing) size = std::max(size, layer->size_at_least);
  }
  return size;
}

Attributes Inode::overlaid(Attributes committed) const {
  if (!file_) return committed;
  uint64_t buffered = file_->dirty.pieces().bytes();
  std::optional<Time> written = file_->dirty.mtime();
  committed.size = std::max(committed.size, file_->dirty.size_at_least());
  for (auto it = file_->flushing.rbegin(); it != file_->flushing.rend(); ++it) {
    committed.size = std::max(committed.size, (*it)->size_at_least);
    buffered += (*it)->pieces.bytes();
    if (!written) written = (*it)->mtime;
  }
  if (written) {
    committed.mtime = *written;
    committed.ctime = std::max(committed.ctime, *written);
  }
  // What it will occupy, about: a file with unflushed bytes must not look like a hole.
  committed.stored = std::max(committed.stored, std::min(committed.size, committed.stored + buffered));
  return committed;
}

void Inode::learn(const Attributes& answer, bool cache) {
  if (answer.version < attributes.version) return;
  attributes = answer;
  attributes_known = cache;
}

std::shared_ptr<Inode> InodeTable::get(InodeId id) {
  Lock lock(mutex_);
  auto& slot = inodes_[id];
  if (slot != nullptr) {
    recent_.splice(recent_.begin(), recent_, slot->recency_);
    return slot;
  }
  slot = std::make_shared<Inode>(id);
  std::shared_ptr<Inode> made = slot;
  recent_.push_front(made);
  made->recency_ = recent_.begin();
  // Only the table (map and list) refers to an inode that nobody uses; nobody can begin to while the mutex is held.
  constexpr long kTableReferences = 2;
  for (int looked_at = 0; inodes_.size() > limit_ && looked_at < 16; ++looked_at) {
    auto oldest = std::prev(recent_.end());
    if (oldest->use_count() > kTableReferences) {
      recent_.splice(recent_.begin(), recent_, oldest);
      continue;
    }
    inodes_.erase((*oldest)->id);
    recent_.erase(oldest);
  }
  return made;
}

std::shared_ptr<Inode> InodeTable::find(InodeId id) {
  Lock lock(mutex_);
  const auto found = inodes_.find(id);
  return found == inodes_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Inode>> InodeTable::all() const {
  Lock lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

size_t InodeTable::size() const {
  Lock lock(mutex_);
  return inodes_.size();
}

}  // namespace cairn
