// Whether "no space for a chunk" is believed, asked once more, or waited with: a metaserver that has just started, or
// whose chunkservers restart, has no space to give and is not full.
//
//   refused --> may servers yet report? --yes, or not known--> wait, ask again; believed when patience is at its end
//                                       --no--> ask once more at once; believed if still no
//
// The second asking is there because the servers may have reported between the refusal and the look at the map.
// Only waiting for servers costs patience: a metaserver that does not answer meanwhile is waited for by its own
// deadline, and says nothing about space. One object for each chunk that is asked for; pure, one thread.
// Not here: who asks and who waits (chunk_pool.h).
#pragma once

#include <optional>

#include "common/base/clock.h"

namespace cairn {

class GrantPatience {
 public:
  enum class Next : uint8_t { believe, ask_now, wait };

  GrantPatience(Duration patience, Duration pause) : patience_(patience), pause_(pause) {}
  // The metaserver said that there is no space.
  void on_refusal(Instant now);
  // What the cluster map, fetched after that, says of the servers.
  Next on_map(bool servers_may_yet_report);

 private:
  const Duration patience_;
  const Duration pause_;  // of Next::wait
  Duration waited_{};
  std::optional<Instant> refused_at_;
  bool all_had_reported_ = false;  // behind the last refusal
};

}  // namespace cairn
