#include "tests/campaign/run_plan.h"

#include "common/base/random.h"

namespace cairn {
namespace {

template <typename T, size_t N>
T one_of(Random& random, const T (&choices)[N]) {
  return choices[random.below(N)];
}

void plan_jobs(uint64_t seed, RunPlan& plan) {
  Random random(mix64(seed ^ 0x7A5C));
  plan.world.workers = true;
  plan.world.task_slots = static_cast<uint32_t>(random.between(1, 2));
  plan.world.inline_partial = random.one_in(2) ? 0 : 1000;
  plan.jobs.on = true;
  plan.jobs.submitters = random.one_in(3) ? 2 : 1;
  plan.jobs.files = static_cast<uint32_t>(random.between(1, 4));
  plan.jobs.rows = random.one_in(3) ? 200 : 2000;
  plan.jobs.longest_pause = random.one_in(3) ? 100ms : 2s;
  plan.jobs.mount = plan.work.mount;
}

}  // namespace

// The number is one that leaves the seeds that are known to find something as they were before there were jobs.
bool has_jobs(uint64_t seed) { return mix64(seed ^ 0x142B) % 3 == 0; }

RunPlan plan_of_seed(uint64_t seed) {
  constexpr Code kPolicies[] = {{4, 2}, {4, 2}, {2, 1}, {3, 2}, {1, 2}};
  constexpr uint32_t kCells[] = {4u << 10, 4u << 10, 16u << 10, 64u << 10, 256u << 10};
  constexpr Duration kFlushes[] = {5ms, 200ms, 1s, 5s};
  constexpr Duration kTimeouts[] = {5s, 10s, 30s};
  Random random(mix64(seed));
  RunPlan plan;
  plan.world.seed = seed;
  plan.world.policy = one_of(random, kPolicies);
  plan.world.cell_bytes = one_of(random, kCells);
  plan.world.clients = random.one_in(4) ? 2 : 1;
  plan.world.harsh = random.one_in(3);
  plan.work.workers = static_cast<uint32_t>(random.between(1, 3));
  plan.work.files = static_cast<uint32_t>(random.between(1, 5));
  plan.work.file_bytes = random.one_in(3) ? 20'000 : 200'000;
  plan.work.longest_pause = random.one_in(3) ? 5ms : 80ms;
  plan.work.mount.flush_after = one_of(random, kFlushes);
  plan.work.mount.dirty_bytes = random.one_in(2) ? 1u << 20 : 16u << 20;
  plan.work.mount.cache_bytes = random.one_in(2) ? 256u << 10 : 8u << 20;
  // Troubles that come one upon the other are not to be longer than it: each power cut of the metaserver may take a
  // call 10 s, until its stream is given up.
  plan.work.mount.io_timeout = 60s;
  if (plan.world.harsh) {
    plan.work.mount.io_timeout = one_of(random, kTimeouts);
    plan.world.session_ttl = random.one_in(2) ? 6s : 20s;
  }
  plan.trouble = std::chrono::seconds(random.between(5, 90));
  // What came later has dice of its own, so that earlier seeds keep their plans but for it.
  Random later(mix64(seed ^ 0x1A7E));
  plan.machines_stop = later.one_in(2);
  if (plan.world.clients == 2 && later.one_in(3)) plan.world.clients = 3;
  if (plan.world.clients == 1 && later.one_in(5)) plan.world.clients = 2;
  if (plan.world.clients > 1 && plan.world.harsh) plan.machines_stop = true;  // leases must survive that most of all
  if (has_jobs(seed)) plan_jobs(seed, plan);
  Random repairs(mix64(seed ^ 0x22A));  // which leaves the known seeds of planted bugs and past failures as they were
  if (repairs.one_in(4)) {
    plan.repair = true;
    plan.world.cache_bytes = 256u << 10;  // so that reads meet what has moved
    plan.world.chunkservers = plan.world.policy.shards() + plan.world.policy.m;
    plan.world.down_after = std::chrono::seconds(repairs.between(5, 20));
    plan.trouble = std::max<Duration>(plan.trouble, 30s);
  }
  return plan;
}

}  // namespace cairn
