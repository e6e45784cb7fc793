// Which inodes' leases came or went lately: an answer that was asked for before, and came without a lease, must not be
// kept.
//
// Any thread; its mutex is a leaf. Bounded: of what is forgotten it says "perhaps", which costs a message and nothing
// else.
#pragma once

#include <array>
#include <cstdint>

#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

class LeaseLog {
 public:
  uint64_t now() const {
    const Lock lock(mutex_);
    return next_;
  }
  void note(InodeId inode) {
    const Lock lock(mutex_);
    recent_[next_++ % kKept] = inode;
  }
  void note_all() {
    const Lock lock(mutex_);
    next_ += kKept;
    recent_.fill(InodeId{});
  }
  // Whether the inode was noted since now() was `asked`.
  bool noted_since(uint64_t asked, InodeId inode) const {
    const Lock lock(mutex_);
    if (next_ - asked > kKept) return true;
    for (uint64_t at = asked; at < next_; ++at) {
      if (recent_[at % kKept] == inode) return true;
    }
    return next_ - asked == kKept;
  }

 private:
  static constexpr uint64_t kKept = 1024;
  mutable Mutex mutex_;
  std::array<InodeId, kKept> recent_{};  // guarded by mutex_
  uint64_t next_ = 0;                    // the same
};

}  // namespace cairn
