// The open descriptors of a data directory: a bounded LRU, so that a hundred thousand shards need no more than a few
// hundred.
//
// A file that is in use stays open beyond its eviction until its last user lets go. One that has unsynced bytes is
// synced before it is let go: only a descriptor that was open when the kernel failed to write a page is sure to be
// told. Any thread; no mutex is held across an open, a sync or a close. Not here: what a file is called and when it is
// opened (shard_file.h).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "chunkserver/sync_group.h"
#include "common/base/disk.h"
#include "common/base/thread.h"

namespace cairn {

class FileCache {
 public:
  // Names one life of a shard's file: never used again after a removal, so a stale descriptor is never taken for a new
  // file.
  using Serial = uint64_t;

  explicit FileCache(size_t capacity);
  std::shared_ptr<File> find(Serial serial);
  // Remembers the file, and returns it, or the one that was remembered earlier. sync (may be null) says whether it has
  // unsynced bytes. May sync and close another file.
  std::shared_ptr<File> keep(Serial serial, std::shared_ptr<File> file, std::shared_ptr<SharedSync> sync);
  void forget(Serial serial);
  size_t size() const;

 private:
  struct Entry {
    Serial serial = 0;
    std::shared_ptr<File> file;
    std::shared_ptr<SharedSync> sync;
  };
  std::list<Entry>::iterator choose_victim();  // requires mutex_ and more than one entry; never the newest

  const size_t capacity_;
  mutable Mutex mutex_;       // guards everything below; may be held while a SharedSync's mutex is taken
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<Serial, std::list<Entry>::iterator> by_serial_;
};

}  // namespace cairn
