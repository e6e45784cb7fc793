// Names of directories as they are known: present ones, absent ones, and directories that are known completely because
// this mount made them. Bounded; whole directories are forgotten, least recently used first.
//
// Used only while the mount is the only one. Kept exact by our own operations: a lookup's answer is stored only if
// nothing changed under that name since the lookup began (the ticket). Any thread; the mutex is a leaf.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

class NameCache {
 public:
  struct Known {
    InodeId inode{};  // 0: there is no such name
    uint64_t cookie = 0;
  };
  explicit NameCache(size_t limit_names) : limit_names_(limit_names) {}

  std::optional<Known> find(InodeId parent, const std::string& name);
  uint64_t ticket(InodeId parent, const std::string& name) const;
  void store(InodeId parent, const std::string& name, Known known, uint64_t ticket);

  // What our own operation made of a name; nothing if its outcome is unknown.
  void change(InodeId parent, const std::string& name, std::optional<Known> known);
  void made_directory(InodeId directory);  // empty, and so completely known
  void forget_directory(InodeId directory);
  void clear();
  size_t size() const;

 private:
  struct Directory {
    bool complete = false;
    std::unordered_map<std::string, Known> names;
    std::list<InodeId>::iterator recency;
  };
  static constexpr size_t kBuckets = 1024;
  static size_t bucket(InodeId parent, const std::string& name);
  Directory& directory(InodeId parent);  // mutex_ held, as in those below
  void set(InodeId parent, const std::string& name, Known known);
  void bound();

  const size_t limit_names_;
  mutable Mutex mutex_;
  std::unordered_map<InodeId, Directory> directories_;  // guarded by mutex_, as the rest
  std::list<InodeId> recent_;                           // most recently used first
  size_t names_ = 0;                                    // and directories
  std::array<uint64_t, kBuckets> changes_{};            // of the names that hash there
};

}  // namespace cairn
