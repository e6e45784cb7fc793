// What the chunkserver's tests share: records, a directory of their own, and a disk that counts, stalls and fails.
#pragma once

#include <stdlib.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "chunkserver/shard_store.h"
#include "common/base/disk.h"
#include "common/base/thread.h"
#include "common/stripe/record_format.h"

namespace cairn::test {

inline constexpr Incarnation kIncarnation{0x5c77c972};

// Removed with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct RecordShape {
  uint32_t cell_bytes = 65536;
  uint32_t data_bytes = 65536;
  uint32_t owners = 1;
};
uint64_t stride_of(const RecordShape& shape);
// One whole record, as an append's tail. content chooses the bytes of its cell.
std::vector<uint8_t> make_record(ShardKey key, uint64_t place, RecordShape shape = {}, uint64_t content = 1,
                                 Incarnation incarnation = kIncarnation);

// Hands everything on to a real disk, but for what it is told to do otherwise. Any thread.
class FaultyDisk : public Disk {
 public:
  explicit FaultyDisk(Disk& inner) : inner_(inner) {}

  std::atomic<bool> fail_syncs = false;  // of files; with io
  std::atomic<bool> fail_directory_syncs = false;
  std::atomic<bool> skip_syncs = false;    // count them only: for tests of very many
  std::atomic<bool> fail_writes = false;   // with no_space, after half of the bytes
  std::atomic<bool> fail_creates = false;  // with no_space
  std::atomic<uint64_t> file_syncs = 0, directory_syncs = 0, renames = 0;
  std::atomic<int64_t> open_files = 0, most_open_files = 0;
  std::atomic<uint64_t> free_bytes = UINT64_MAX;  // what space() says, unless it is UINT64_MAX

  // While held, file syncs wait. release() lets all go on.
  void hold_syncs();
  void release_syncs();
  void wait_for_held_syncs(size_t count);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override { return inner_.remove(path); }
  Status rename(const std::string& from, const std::string& to) override {
    ++renames;
    return inner_.rename(from, to);
  }
  Status make_directories(const std::string& path) override { return inner_.make_directories(path); }
  Status sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override { return inner_.list(path); }
  Result<DiskSpace> space(const std::string& path) override;

 private:
  friend class FaultyFile;
  void pass_sync_gate();

  Disk& inner_;
  Mutex mutex_;  // guards the next two
  CondVar changed_;
  bool held_ = false;
  size_t waiting_ = 0;
};

// Names of all files under DIR/shards, sorted, without their folders.
std::vector<std::string> shard_files(const std::string& directory);
// Opens a store that is expected to open.
std::unique_ptr<ShardStore> open_store(Disk& disk, const std::string& directory, ShardStoreOptions options = {});

}  // namespace cairn::test
