// Names of directories as they are known: present ones, absent ones, and directories that are known completely because
// this mount made them. Bounded; whole directories are forgotten, least recently used first.
//
// Kept exact by our own operations: a lookup's answer is stored only if nothing changed under that name since the
// lookup began (the ticket), and a change's only if no other change of the name was under way meanwhile: answers may
// overtake one another, and do not say which change was the later one. Any thread; the mutex is a leaf.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

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

  // An operation of ours that changes a name, from before it is asked for until its outcome is noted. One that ends
  // without became() has left the name unknown.
  class Change {
   public:
    Change(NameCache& names, InodeId parent, const std::string& name);
    ~Change();
    Change(const Change&) = delete;
    InodeId parent() const { return parent_; }
    void became(Known known);

   private:
    NameCache& names_;
    const InodeId parent_;
    const std::string name_;
    bool noted_ = false;
  };
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
  struct UnderWay {
    uint32_t changes = 0;
    bool several = false;  // at once, since the first of them began
  };
  static size_t bucket(InodeId parent, const std::string& name);
  void begin_change(InodeId parent, const std::string& name);
  void end_change(InodeId parent, const std::string& name);
  void note(InodeId parent, const std::string& name, std::optional<Known> known);
  Directory& directory(InodeId parent);  // mutex_ held, as in those below
  void set(InodeId parent, const std::string& name, Known known);
  void bound();

  const size_t limit_names_;
  mutable Mutex mutex_;
  std::unordered_map<InodeId, Directory> directories_;  // guarded by mutex_, as the rest
  std::list<InodeId> recent_;                           // most recently used first
  size_t names_ = 0;                                    // and directories
  std::array<uint64_t, kBuckets> changes_{};            // of the names that hash there
  std::map<std::pair<InodeId, std::string>, UnderWay> under_way_;
};

}  // namespace cairn
