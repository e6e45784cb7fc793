// How long ago something happened to a job that its rows tell in wall-clock time.
//
// What happened before this run of the metaserver, by the wall clock, as nothing better is known; what happens in it,
// by the monotonic clock. So a wall clock that jumps ends no job and takes no result away.
// For one thread. The events of each job are asked for in every round; what a round does not ask for is forgotten.
#pragma once

#include <map>

#include "common/base/clock.h"
#include "common/meta/jobs.h"

namespace cairn {

class JobAges {
 public:
  enum class Event : uint8_t { submitted, over };

  void begin_round(Instant now, int64_t wall_ns);
  // Since the event, whose time is in the job's rows. Not negative.
  Duration since(JobId job, Event event, int64_t then_ns);
  void end_round();

 private:
  struct Seen {
    Instant at;          // first, in this run
    Duration before;     // that had gone by then
    bool asked = false;  // in this round
  };
  Instant now_;
  int64_t wall_ns_ = 0;
  bool first_round_ = true;  // what is seen now may have happened in earlier runs
  std::map<std::pair<JobId, Event>, Seen> seen_;
};

}  // namespace cairn
