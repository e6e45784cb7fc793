// What the metaserver knows of an inode, and of a name.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/types.h"

namespace cairn {

// Seconds and nanoseconds since 1970; both ends are within POSIX's range, nanoseconds 0 .. 999'999'999.
struct Time {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
  auto operator<=>(const Time&) const = default;
};

struct Attributes {
  InodeId inode{};
  uint64_t version = 0;  // ascending with each change of the inode, its data included
  uint32_t mode = 0;     // type and permissions, as st_mode
  uint32_t links = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t size = 0;    // bytes; of a directory: its number of entries
  uint64_t stored = 0;  // bytes that extents or inline data hold, for st_blocks
  uint64_t rdev = 0;
  Time atime, mtime, ctime;
  ClassId storage_class{};
  uint32_t generation = 0;
  bool operator==(const Attributes&) const = default;
};

struct Entry {
  InodeId parent{};
  std::string name;
  Attributes attributes;
  uint64_t cookie = 0;  // stable position in the directory, > 2
};

inline constexpr uint32_t kMaxNameBytes = 255;
inline constexpr uint32_t kMaxInlineBytes = 2048;
inline constexpr uint32_t kMaxXattrBytes = 65536;
inline constexpr uint32_t kMaxLinks = 65000;
inline constexpr uint64_t kMaxFileBytes = INT64_MAX;

}  // namespace cairn
