// The shards of one data directory: which there are, and the way to each.
//
//   append, sync, seal, punch, remove, read --key--> folder (256, by the chunk's low bits) --> ShardFile
//
//   DIR/identity.toml      identity.h            DIR/shards/00 .. ff/*      shard_name.h
//
// The files' names are the index: opening lists them, and opens only those that still take appends, for their size.
// Nothing is truncated or deleted on the store's own judgement; a name that it does not understand is reported and left
// alone. Any thread. One mutex for each folder, never held across I/O. Not here: identity of the cluster (identity.h),
// the wire (service.h), the background check (shard_check.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "chunkserver/file_cache.h"
#include "chunkserver/shard_file.h"
#include "chunkserver/space_meter.h"
#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/types.h"

namespace cairn {

struct ShardStoreOptions {
  size_t open_files = 512;  // descriptors that are kept open
  ReserveOptions reserve = {};
};

// A shard as an administrator and the metaserver see it.
struct ShardRow {
  ShardStatus status;
  uint64_t allocated = 0;  // bytes of disk
};
struct ShardRows {
  std::vector<ShardRow> rows;  // ascending by key; all shards of a chunk are in one page
  bool complete = false;
};
// What start found, for a report.
struct StoreInventory {
  uint64_t open = 0, failed = 0, sealed = 0;
  std::vector<std::string> unknown_files;  // names that are not ours, or unreadable; at most 100 are kept
  uint64_t unknown = 0;
};

class ShardStore {
 public:
  ShardStore(Disk& disk, Clock& clock, std::string directory, ShardStoreOptions options);

  // Makes the store, or finds the shards in it. Once, before anything else.
  Result<StoreInventory> open();

  // record is exactly one record for `place` (record_check.h), checked by the caller. Returns the shard's end; with
  // sync, durable up to the record's end.
  Result<uint64_t> append(ShardKey key, uint64_t place, Epoch writer_epoch, std::span<const uint8_t> record, bool sync);
  // Durable up to `end`; returns the shard's end.
  Result<uint64_t> sync(ShardKey key, uint64_t end);
  Result<std::shared_ptr<File>> file(ShardKey key);  // for reading; what was removed may still be read
  Status seal(ShardKey key, uint64_t committed, Epoch fence);
  Status punch(ShardKey key, uint64_t place, uint64_t length);
  Status remove(ShardKey key);  // ok if it is not there: then it is as it should be
  // ShardFile::adopt: a shard that was made again takes its place.
  Status adopt(ShardKey key, const std::string& path, uint64_t committed);
  Status admit(uint64_t bytes) { return space_.admit(bytes); }  // no_space: the disk has no room for them

  // Shards of chunks behind `after`, at least `limit` of them if there are so many. Each is looked up on the disk: one
  // whose file was deleted, or cut, under the server is there as failed.
  Result<ShardRows> list(ChunkId after, uint32_t limit);
  // The shards of one folder (0 .. kShardFolders - 1), without touching the disk.
  std::vector<ShardStatus> statuses(uint32_t folder) const;
  Result<DiskSpace> space() { return space_.usable(); }
  uint64_t shards() const;
  size_t open_files() const { return files_.size(); }
  Status sync_everything();  // at a clean stop: the first error, after trying all

 private:
  struct Folder {
    Folder(Disk& disk, FileCache& files, std::string parent, std::string name)
        : shared(disk, files, std::move(parent), std::move(name)) {}
    ShardFolder shared;
    std::map<ShardKey, std::shared_ptr<ShardFile>> shards;  // guarded by shared.mutex
  };
  Status load(Folder& folder, StoreInventory& inventory);
  void adopt(Folder& folder, const ShardName& name, uint64_t end, StoreInventory& inventory);
  Folder& folder_of(ShardKey key) { return *folders_[key.folder()]; }
  std::shared_ptr<ShardFile> find(ShardKey key);          // null if there is none
  std::shared_ptr<ShardFile> find_or_make(ShardKey key);  // one without a file, if there was none
  void drop(const std::shared_ptr<ShardFile>& shard);     // forgets one that is removed, or never got a file
  std::shared_ptr<ShardFile> next_in(Folder& folder, ShardKey after);  // the first behind it; null at the end
  std::vector<std::shared_ptr<ShardFile>> shards_in(const Folder& folder) const;

  Disk& disk_;
  const std::string directory_;
  SpaceMeter space_;
  FileCache files_;
  std::array<std::unique_ptr<Folder>, kShardFolders> folders_;
  std::atomic<FileCache::Serial> serials_ = 0;
};

}  // namespace cairn
