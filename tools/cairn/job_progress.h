// How far a job is, in a line for people, and when it will have ended. Pure: times are arguments.
//
//   mapping: 12 of 40 tasks, 640.0 MiB of 2.5 GiB, 210.0 MiB/s, 9.1 s left
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/meta/jobs.h"

namespace cairn::tools {

class JobProgress {
 public:
  // The status as of now; the line for it.
  std::string on_status(const JobStatus& status, Instant now);

 private:
  // Of the phase: since the first look at it, for what came before is not known.
  JobPhase phase_ = JobPhase::receiving;
  Instant since_;
  uint64_t bytes_then_ = 0;
};

// "job 7 stats: 12 files, 2.0 GiB, in 3.1 s; 1.9 GiB were read near the data, 12.0 MiB moved"
std::string summary_of(const JobStatus& status);

}  // namespace cairn::tools
