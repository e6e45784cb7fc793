// One shard: one append-only file of records, from its first append to its removal.
//
//   (absent) --append--> open --seal--> sealed --remove--> (gone)
//                         |  a write or sync failed               each arrow is a new file name (shard_name.h)
//                         +--> failed --seal--> sealed
//   (any) --adopt a file that was made again--> sealed
//
// A place has one content for ever: an append before the end must repeat what lies there, byte by byte, or it is
// refused. An append behind the end leaves a hole. Nothing is ever truncated: after a crash the end is the file's size
// rounded up to a block, and what was torn stays as garbage that no one commits.
//
// Appends, seals and removals of one shard take turns (a flag and a CondVar), because their I/O runs without a mutex;
// reads, syncs and punches go beside them. Any thread. Errors: stale_epoch (sealed or fenced), invalid (another
// content), io (the shard has failed: for good), corrupt (its file was deleted or replaced under the server), no_space,
// not_found (removed), and what the disk says. Not here: what a record is (record_check.h), which shards exist
// (shard_store.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "chunkserver/file_cache.h"
#include "chunkserver/shard_name.h"
#include "chunkserver/sync_group.h"
#include "common/base/disk.h"
#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

// A change of a file name in a folder: durable once its group has synced this position.
struct NameChange {
  std::shared_ptr<SharedSync> group;
  uint64_t position = 0;
};

// What all shards of one folder share. Outlives them.
//
// Changes of names are synced by groups. A failed sync of the directory fails its group for good: the kernel may have
// dropped what it could not write, so every name that was changed by then and is not durable stays in doubt, whatever a
// later sync says. What changes afterwards belongs to a fresh group and is judged by that group's own syncs, so the
// folder goes on.
struct ShardFolder {
  ShardFolder(Disk& the_disk, FileCache& the_files, std::string the_parent, std::string name)
      : disk(the_disk), files(the_files), parent(std::move(the_parent)), path(parent + "/" + name) {}
  Disk& disk;
  FileCache& files;
  const std::string parent;
  const std::string path;                         // made with its first shard: a new store starts at once
  mutable Mutex mutex;                            // guards the members of its shards that say so
  CondVar turn_passed;                            // also: a name has changed
  NameChange change();                            // one more; requires the mutex
  NameChange latest();                            // the newest of this group
  Status sync_names(const NameChange& change);    // returns when it is durable
  Status sync_removal(const NameChange& change);  // as well if the whole folder was deleted under the server
  Status make();                                  // the folder itself, durably, if it is not there
  // Makes a new file in it, and the folder, if it is not there.
  Result<std::unique_ptr<File>> create(const std::string& file_path);

 private:
  // Guarded by mutex. Position 1 of a group: what changed before it began, if the folder was there.
  std::shared_ptr<SharedSync> names_ = std::make_shared<SharedSync>();
};

struct ShardStatus {
  ShardKey key;
  ShardState state = ShardState::open;
  uint64_t end = 0;        // of the file, rounded up to a block
  uint64_t committed = 0;  // of a sealed shard
  bool failed = false;     // a write or sync failed: no more appends
};

class ShardFile {
 public:
  // A shard without a file yet: its first append or its seal makes it.
  ShardFile(ShardFolder& folder, ShardKey key, FileCache::Serial serial);
  // One that was found at start. end is unused if it is sealed; failed: it could not be read.
  ShardFile(ShardFolder& folder, ShardName name, uint64_t end, bool failed, FileCache::Serial serial);

  // Writes the record; returns the shard's end. Requires place and record.size() to be multiples of kBlockBytes. Not
  // durable: sync() makes it so.
  Result<uint64_t> append(uint64_t place, Epoch writer_epoch, std::span<const uint8_t> record);
  // Returns when everything before `end`, and the file's name, is durable.
  Status sync(uint64_t end);
  Status sync_all();  // everything that was appended
  // Fixes the committed length and refuses appends from now on; durable on return. A shard without a file becomes an
  // empty sealed one, so that an append that comes late is refused.
  Status seal(uint64_t committed, Epoch fence);
  // Gives the space of [place, place + length) back, as far as the file reaches.
  Status punch(uint64_t place, uint64_t length);
  // Takes a file of the same disk, made again from other shards and synced, as this shard: sealed, in place of whatever
  // was here, and durable on return. Who reads the old file goes on reading that. `serial` names its new life. invalid:
  // a shard that is sealed at another length is not replaced.
  Status adopt(const std::string& path, uint64_t committed, FileCache::Serial serial);
  // Durable on return. Later calls get not_found.
  Status remove();
  // The file, open for reading. It may outlive the shard's removal.
  Result<std::shared_ptr<File>> file();
  // Asks what its name leads to now, without taking a place among the open ones.
  struct Usage {
    uint64_t size = 0;       // rounded up to a block
    uint64_t allocated = 0;  // bytes of disk
  };
  Result<Usage> usage();

  ShardStatus status() const;
  ShardKey key() const { return key_; }
  bool exists() const;   // has a file
  bool removed() const;  // then the owner forgets it; a new shard of this key is another object
  // Declares a shard without a file removed, so that its owner can forget it. False if it has one, or a call works on
  // it.
  bool abandon_if_empty();

 private:
  class Turn;                // holds the right to append, seal or remove, while it lives
  Result<Turn> take_turn();  // not_found once removed

  // All require the turn.
  Status may_append(Epoch writer_epoch);
  Status create(ShardName name);
  Status compare(uint64_t place, std::span<const uint8_t> record);
  void mark_failed(const std::string& why);
  Status rename_to(ShardName name);
  Status remove_older_names();
  Status sync_name_again();

  void fail(const std::string& why);                   // takes the turn
  Result<std::shared_ptr<File>> open_file(bool keep);  // not keep: what its name leads to now
  Error lost(const std::string& how) const;
  std::string path_of(const ShardName& name) const { return folder_.path + "/" + file_name(name); }

  ShardFolder& folder_;
  const ShardKey key_;
  // Guarded by folder_.mutex, and changed only by the holder of the turn, who may read them without it.
  FileCache::Serial serial_;
  ShardName name_;  // of the file as it is called now
  uint64_t end_ = 0;
  NameChange name_change_;            // the last one of this file's name
  Epoch fence_{};                     // lower writer epochs are refused
  std::shared_ptr<SharedSync> sync_;  // of an open shard's bytes
  bool exists_ = false;
  bool failed_ = false;
  bool removed_ = false;
  bool name_changing_ = false;  // the disk may have the next name already
  // Guarded by folder_.mutex.
  bool turn_taken_ = false;
};

}  // namespace cairn
