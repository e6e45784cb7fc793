// The whole cluster under trouble, from many seeds (cluster_run.h). `cairn_sim_run --seed N` replays one.
#include <gtest/gtest.h>

#include "tests/sim/cluster_run.h"

namespace cairn {
namespace {

std::string told(uint64_t seed, const RunOutcome& outcome) {
  return outcome.story + "\nseed " + std::to_string(seed) + ": " + outcome.verdict +
         "\nreplay: cairn_sim_run --verbose --seed " + std::to_string(seed);
}

TEST(ClusterSimulationTest, NothingAcknowledgedIsLostWhateverHappensToUpToMServers) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const RunOutcome outcome = run_seed(seed);
    ASSERT_TRUE(outcome.good) << told(seed, outcome);
  }
}

TEST(ClusterSimulationTest, OneSeedIsOneRun) {
  for (const uint64_t seed : {1, 7}) {
    const RunOutcome first = run_seed(seed);
    ASSERT_TRUE(first.good) << told(seed, first);
    EXPECT_EQ(first.story, run_seed(seed).story) << "seed " << seed;
  }
}

}  // namespace
}  // namespace cairn
