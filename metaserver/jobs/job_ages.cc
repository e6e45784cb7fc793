#include "metaserver/jobs/job_ages.h"

#include <algorithm>

namespace cairn {

void JobAges::begin_round(Instant now, int64_t wall_ns) {
  now_ = now;
  wall_ns_ = wall_ns;
  for (auto& [key, seen] : seen_) seen.asked = false;
}

Duration JobAges::since(JobId job, Event event, int64_t then_ns) {
  const int64_t by_wall = first_round_ ? std::max<int64_t>(0, wall_ns_ - then_ns) : 0;
  Seen& seen = seen_.try_emplace({job, event}, Seen{now_, Duration(by_wall), true}).first->second;
  seen.asked = true;
  return seen.before + (now_ - seen.at);
}

void JobAges::end_round() {
  first_round_ = false;
  std::erase_if(seen_, [](const auto& each) { return !each.second.asked; });
}

}  // namespace cairn
