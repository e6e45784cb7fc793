// What the seed of a run picks: the cluster, the clients, what they do, and how bad it gets.
#pragma once

#include "tests/campaign/workloads.h"

namespace cairn {

struct RunPlan {
  WorldOptions world;
  WorkloadOptions work;  // of each client
  Duration trouble{};    // how long it comes
  bool machines_stop = false;
};

RunPlan plan_of_seed(uint64_t seed);

}  // namespace cairn
