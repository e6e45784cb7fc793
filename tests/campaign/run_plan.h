// What the seed of a run picks: the cluster, the clients, what they do, and how bad it gets.
#pragma once

#include "tests/campaign/jobs_workload.h"
#include "tests/campaign/workloads.h"

namespace cairn {

struct RunPlan {
  WorldOptions world;
  WorkloadOptions work;  // of each client
  JobsOptions jobs;      // of near-data tasks
  Duration trouble{};    // how long it comes
  bool machines_stop = false;
  bool repair = false;  // disks are lost for good, servers are drained
};

// Whether near-data jobs are a part of its run: about one in three.
bool has_jobs(uint64_t seed);
RunPlan plan_of_seed(uint64_t seed);

}  // namespace cairn
