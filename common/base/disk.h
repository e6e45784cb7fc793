// Files, the second of the three edges: real here, simulated in tests/sim (forgets, tears, fails, fills up).
//
// A write is durable only after sync_data() of its file; a created, renamed or removed name only after
// sync_directory() of its directory. Offsets and lengths are in bytes. Calls may block; all may be made from any
// thread. Errors: no_space (ENOSPC, EDQUOT), not_found, exists, not_empty, not_supported (punch on a filesystem without
// holes), io (everything else). "what" has the path and errno's text.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace cairn {

class File {
 public:
  virtual ~File() = default;
  // Reads up to into.size() bytes; fewer only at the end of the file. Holes read as zeros.
  virtual Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) = 0;
  // Writes all of the pieces, one behind the other. After an error any part may have been written.
  virtual Status write_at(uint64_t offset, std::span<const iovec> pieces) = 0;
  virtual Status sync_data() = 0;  // fdatasync. After a failure nothing may be assumed: the caller gives the file up.
  virtual Status truncate(uint64_t size) = 0;
  virtual Status preallocate(uint64_t offset, uint64_t length) = 0;  // beyond the end without changing the size; a hint
  virtual Status punch(uint64_t offset, uint64_t length) = 0;        // gives the space back; reads as zeros afterwards
  virtual Result<uint64_t> size() = 0;
  virtual Result<uint64_t> allocated() = 0;                 // bytes of disk it occupies
  virtual Result<uint64_t> next_data(uint64_t offset) = 0;  // SEEK_DATA; not_found if only a hole follows
  virtual Result<bool> named() { return true; }             // false: its last name was removed, or given to another
  virtual int descriptor() const { return -1; }             // for sendfile; -1 where there is none
};

struct DiskSpace {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
};

enum class OpenMode { read_only, read_write, create, create_new };  // create: opens or creates, read-write

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Status remove(const std::string& path) = 0;                         // a file, or an empty directory
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // replaces
  // With its parents; those that it creates are durable when it returns, because a caller could not sync them all.
  virtual Status make_directories(const std::string& path) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;  // names, sorted, without . and ..
  virtual Result<DiskSpace> space(const std::string& path) = 0;
};

Disk& real_disk();

}  // namespace cairn
