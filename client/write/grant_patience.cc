#include "client/write/grant_patience.h"

#include <algorithm>

namespace cairn {

void GrantPatience::on_refusal(Instant now) {
  // More than two pauses between two refusals were spent on the metaserver itself.
  if (refused_at_) waited_ += std::min<Duration>(now - *refused_at_, 2 * pause_);
  refused_at_ = now;
}

GrantPatience::Next GrantPatience::on_map(bool servers_may_yet_report) {
  if (!servers_may_yet_report) {
    if (all_had_reported_) return Next::believe;
    all_had_reported_ = true;
    return Next::ask_now;
  }
  all_had_reported_ = false;
  return waited_ >= patience_ ? Next::believe : Next::wait;
}

}  // namespace cairn
