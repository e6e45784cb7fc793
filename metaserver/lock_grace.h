// Which sessions that the log knew at the start have not yet told what locks they held (reclaim_locks).
//
// Until all others have, or have ended, nothing is granted to anybody: it might be theirs. Any thread.
#pragma once

#include <algorithm>
#include <set>
#include <vector>

#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

class LockGrace {
 public:
  explicit LockGrace(const std::vector<SessionId>& restored) : silent_(restored.begin(), restored.end()) {}

  bool others_unreclaimed(SessionId session) const {
    const Lock lock(mutex_);
    return silent_.size() > (silent_.contains(session) ? 1u : 0u);
  }
  // It has reclaimed, or has ended. True if that was news.
  bool settled(SessionId session) {
    const Lock lock(mutex_);
    return silent_.erase(session) > 0;
  }

 private:
  mutable Mutex mutex_;
  std::set<SessionId> silent_;  // guarded by mutex_
};

}  // namespace cairn
