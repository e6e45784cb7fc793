// What a campaign stands on: a seed is a run, past failures stay away, and a campaign reports what its runs did.
#include <gtest/gtest.h>

#include "tests/campaign/campaign.h"
#include "tests/campaign/past_seeds.h"

namespace cairn {
namespace {

std::string told(const RunOutcome& outcome) {
  return outcome.story + "\nseed " + std::to_string(outcome.seed) + ": " + outcome.verdict +
         "\nreplay: cairn_sim_run --verbose --seed " + std::to_string(outcome.seed);
}

TEST(ClusterSimulationTest, OneSeedIsOneRun) {
  for (const uint64_t seed : {1, 7, 12, 17}) {
    const RunOutcome first = run_seed(seed), second = run_seed(seed);
    ASSERT_TRUE(first.good) << told(first);
    EXPECT_EQ(first.story, second.story) << "seed " << seed;
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.rare_paths, second.rare_paths) << "seed " << seed;
  }
}

TEST(ClusterSimulationTest, PastFailuresStayAway) {
  for (const PastSeed& past : kPastSeeds) {
    const RunOutcome outcome = run_seed(past.seed);
    EXPECT_TRUE(outcome.good) << past.found << "\n" << told(outcome);
  }
}

TEST(CampaignTest, CountsWhatItsRunsDid) {
  std::vector<uint64_t> seeds;
  const auto report = run_campaign({.first = 3, .count = 4, .jobs = 2, .run = {}}, [&](const RunOutcome& outcome) {
    seeds.push_back(outcome.seed);
    EXPECT_TRUE(outcome.good) << told(outcome);
  });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->good, 4u);
  EXPECT_EQ(report->bad, 0u);
  std::ranges::sort(seeds);
  EXPECT_EQ(seeds, (std::vector<uint64_t>{3, 4, 5, 6}));
}

TEST(CampaignTest, StopsAtABadSeed) {
  if (!kBugsCanBePlanted) GTEST_SKIP() << "this build has no planted bugs to find";
  CampaignOptions options{.count = 1000, .run = {.bug = PlantedBug::commit_before_sync}};
  std::string verdict;
  const auto report = run_campaign(options, [&](const RunOutcome& outcome) {
    if (!outcome.good) verdict = outcome.verdict;
  });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->bad, 1u);
  EXPECT_LT(report->good, 100u);
  EXPECT_TRUE(verdict.starts_with("WRONG: ")) << verdict;
}

}  // namespace
}  // namespace cairn
