// Many seeds, several at a time, and what they have reached together.
//
// One thread; each run is a process (seed_process.h).
#pragma once

#include <functional>

#include "tests/campaign/seed_process.h"

namespace cairn {

struct CampaignOptions {
  uint64_t first = 1;
  uint64_t count = 1;
  uint32_t jobs = 1;                             // at a time
  std::function<bool(uint64_t seed)> only = {};  // these of the seeds; they alone are counted. Empty: all
  RunOptions run;
  bool go_on = false;  // behind a bad seed
};

struct CampaignReport {
  uint64_t good = 0;
  uint64_t bad = 0;
  RarePathCounts reached{};  // by the good ones together
};

// `tell` gets each outcome as it comes. Stops at the first bad one, or goes on.
Result<CampaignReport> run_campaign(const CampaignOptions& options, const std::function<void(const RunOutcome&)>& tell);

}  // namespace cairn
