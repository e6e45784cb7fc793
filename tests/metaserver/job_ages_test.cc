#include "metaserver/jobs/job_ages.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

constexpr int64_t kHourNs = 3'600'000'000'000;

class JobAgesTest : public ::testing::Test {
 protected:
  Duration submitted_in_a_round() {
    ages.begin_round(now, wall_ns);
    const Duration age = ages.since(JobId{1}, JobAges::Event::submitted, told_ns);
    ages.end_round();
    return age;
  }
  void pass(Duration time) {
    now = now + time;
    wall_ns += time.count();
  }

  JobAges ages;
  Instant now{1'000'000'000};
  int64_t wall_ns = 1000 * kHourNs;
  int64_t told_ns = wall_ns;
};

TEST_F(JobAgesTest, AWallClockThatJumpsMakesNothingOlderOrYounger) {
  ages.begin_round(now, wall_ns);
  ages.end_round();
  EXPECT_EQ(submitted_in_a_round(), 0s);
  wall_ns += 100 * kHourNs;
  pass(5s);
  EXPECT_EQ(submitted_in_a_round(), 5s);
  wall_ns -= 300 * kHourNs;
  pass(5s);
  EXPECT_EQ(submitted_in_a_round(), 10s);
}

TEST_F(JobAgesTest, AJumpBetweenAnEventAndTheNextRoundCountsForNothing) {
  ages.begin_round(now, wall_ns);
  ages.end_round();
  wall_ns += 100 * kHourNs;
  EXPECT_EQ(submitted_in_a_round(), 0s);
}

TEST_F(JobAgesTest, WhatEarlierRunsDidIsAsOldAsTheWallClockSays) {
  told_ns = wall_ns - 7 * kHourNs;
  EXPECT_EQ(submitted_in_a_round(), 7h);
  pass(1h);
  EXPECT_EQ(submitted_in_a_round(), 8h);
}

TEST_F(JobAgesTest, WhatTheWallClockPutsIntoTheFutureHasJustHappened) {
  told_ns = wall_ns + 7 * kHourNs;
  EXPECT_EQ(submitted_in_a_round(), 0s);
}

}  // namespace
}  // namespace cairn
