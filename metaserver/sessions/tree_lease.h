// Who may cache the tree: the exclusive lease of inode 0, held by the only mount, taken back before a second one is let
// in.
//
//   first mount --> sole        second mount opens --> recall to the sole one --> its acknowledgement or its end -->
//   both shared shared: nobody caches. When one mount is left it asks again (acquire) and is sole.
//
// The invariant: a mount that may cache is the only one that was let in. After a restart of the metaserver we do not
// know who was sole, so every restored mount counts as one that may cache until it has said or ends. A
// recall is named by its generation; a later acknowledgement covers an earlier one of the same mount. Pure: the caller
// serialises. Not here: how events travel (event_queue.h), when sessions end (session_table.h).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/meta/session.h"

namespace cairn {

class TreeLease {
 public:
  struct Recall {
    SessionId session{};
    Lease lease;  // that is to be given back
  };

  // first_generation: above those of any earlier run.
  explicit TreeLease(uint64_t first_generation) : next_generation_(first_generation) {}

  // The mounts that the store knows at the start: each may be the sole one until it says (release, reclaim) or ends.
  void restore(const std::vector<SessionId>& mounts);
  // A restored mount says that it was the sole one. With others, it is recalled.
  std::vector<Recall> reclaim(SessionId mount);
  // A mount has opened its session, or asks again because the answer was lost: it caches nothing then, unless it has
  // been seen to use the session, and this is a late duplicate. It may be answered once admitted() is true. Returns the
  // recalls that this needs, each once.
  std::vector<Recall> open(SessionId mount);
  void seen(SessionId mount);            // it makes calls in its session, so it had its answer
  bool admitted(SessionId mount) const;  // no other mount may cache
  bool sole(SessionId mount) const;      // it may cache, and nobody else, and that is certain
  // The mount caches nothing any more. generation: of the recall it answers; an older recall's answer changes nothing.
  void acknowledge(SessionId mount, uint64_t generation);
  void release(SessionId mount);
  // The mount wants to be sole: granted if it is the only one (or is sole already).
  bool acquire(SessionId mount);
  void end(SessionId mount);  // closed or expired; unknown ids are ignored

  Lease lease(SessionId mount) const;  // as granted to the mount; generation 0: none
  size_t mounts() const { return mounts_.size(); }

 private:
  struct Mount {
    bool may_cache = false;
    bool started = false;     // it was seen to use the session in this run
    bool unsaid = false;      // one of several after a restart: whether it was sole it has not said yet
    uint64_t generation = 0;  // of its grant
    uint64_t recall = 0;      // generation of the recall under way; 0: none
  };
  std::vector<Recall> recall_all_but(SessionId but);
  uint64_t next_generation_;
  std::map<SessionId, Mount> mounts_;
};

}  // namespace cairn
