// One file of the disk cache: records are appended until it is full, then its index; nothing is ever changed in it, and
// it goes as a whole.
//
// Nothing is synced: after a power cut the checksums tell what is still there. Reading from any thread; appending and
// sealing by one. Offsets and sizes in bytes. Not here: which pieces lie where in which segment (disk_cache.h).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/cache/cache_record.h"
#include "common/base/disk.h"

namespace cairn {

class CacheSegment {
 public:
  static Result<std::shared_ptr<CacheSegment>> create(Disk& disk,
                                                      const std::string& path);  // exists: the name is taken

  // What an earlier mount left: from the index or, where there is none, by going from header to header up to the first
  // that is not one. Pieces are not read.
  struct Found {
    std::shared_ptr<CacheSegment> segment;
    std::vector<CacheRecord> records;
  };
  static Result<Found> open(Disk& disk, const std::string& path);

  // Appends them; the first piece's bytes will lie at size() + kCacheRecordBytes. After an error nothing more may be
  // appended.
  struct Outgoing {
    CacheRecord record;
    std::span<const uint8_t> piece;
  };
  Status append(std::span<const Outgoing> batch);
  Status seal();  // writes the index

  // corrupt unless all of `out` is there and is what the record says.
  Status read(const CacheRecord& record, uint64_t offset, std::span<uint8_t> out) const;

  uint64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  bool named() const;  // false: somebody has removed the file

 private:
  CacheSegment(std::string path, std::unique_ptr<File> file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<std::vector<CacheRecord>> read_index(uint64_t file_bytes) const;
  Result<std::vector<CacheRecord>> scan(uint64_t file_bytes) const;

  const std::string path_;
  const std::unique_ptr<File> file_;
  uint64_t size_ = 0;                 // of the file
  std::vector<CacheRecord> written_;  // by this process, until it is sealed
};

}  // namespace cairn
