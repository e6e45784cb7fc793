#include "common/rpc/server_health.h"

#include <gtest/gtest.h>

#include "common/rpc/request_ids.h"

namespace cairn::test {
namespace {

constexpr Instant kStart{5'000'000'000};

TEST(ServerHealthTest, AFailureIsHeldAgainstItForTwoSecondsAndThenFades) {
  ServerHealth health;
  EXPECT_EQ(health.reluctance(kStart), 0u);
  health.on_start();
  health.on_failure(kStart);
  EXPECT_GE(health.reluctance(kStart), 1000u);
  EXPECT_GE(health.reluctance(kStart + 1999ms), 1000u);
  const uint32_t later = health.reluctance(kStart + 2s);
  EXPECT_LT(later, 1000u);
  EXPECT_GT(later, health.reluctance(kStart + 4s));
  EXPECT_EQ(health.reluctance(kStart + 1min), 0u);
}

TEST(ServerHealthTest, OneThatFailsAgainAndAgainIsTriedMoreAndMoreSeldomUntilItAnswers) {
  ServerHealth health;
  Instant now = kStart;
  for (const Duration held : {2s, 4s, 8s, 16s, 32s, 32s}) {
    health.on_start();
    health.on_failure(now);
    health.on_no_connection(now + 1s);  // of a call that was begun before
    now = now + 1s;
    EXPECT_GE(health.reluctance(now + held - 1ms), 1000u) << held / 1s;
    EXPECT_LT(health.reluctance(now + held), 1000u) << held / 1s;
    now = now + held;
  }
  health.on_start();
  health.on_answer(1ms);
  health.on_no_connection(now);
  EXPECT_LT(health.reluctance(now + 4s), 1000u);
}

TEST(ServerHealthTest, TheSlowerAndTheBusierIsAvoided) {
  ServerHealth fast;
  ServerHealth slow;
  for (int i = 0; i < 50; ++i) {
    fast.on_start();
    fast.on_answer(1ms);
    slow.on_start();
    slow.on_answer(20ms);
  }
  EXPECT_LT(fast.reluctance(kStart), slow.reluctance(kStart));
  for (int i = 0; i < 20; ++i) fast.on_start();
  EXPECT_GT(fast.reluctance(kStart), slow.reluctance(kStart));
  for (int i = 0; i < 1000; ++i) slow.on_start();
  EXPECT_LT(slow.reluctance(kStart), 1000u);  // load is never mistaken for failure
}

TEST(ServerHealthTest, TheUsualLatencyFollowsTheAnswers) {
  ServerHealth health;
  EXPECT_EQ(health.usual_latency(), Duration::zero());
  for (const Duration latency : {10ms, 80ms}) {
    for (int i = 0; i < 50; ++i) {
      health.on_start();
      health.on_answer(latency);
    }
    EXPECT_NEAR(health.usual_latency() / 1us, latency / 1us, 1000);
  }
}

TEST(ServerHealthTest, OneThatWasNotWaitedForIsRememberedAsSlow) {
  ServerHealth health;
  health.on_start();
  health.on_abandon(50ms);
  EXPECT_GT(health.reluctance(kStart), 0u);
}

TEST(RequestIdsTest, TheLowestUnansweredOneIsTold) {
  RequestIds ids;
  const RequestId first = ids.start();
  const RequestId second = ids.start();
  EXPECT_EQ(raw(first), 1u);
  EXPECT_EQ(raw(second), 2u);
  EXPECT_EQ(ids.lowest_unanswered(), first);
  ids.finish(second);
  const RequestId third = ids.start();
  EXPECT_EQ(ids.lowest_unanswered(), first);
  ids.finish(first);
  EXPECT_EQ(ids.lowest_unanswered(), third);
  ids.finish(third);
  EXPECT_TRUE(ids.all_answered());
  EXPECT_EQ(raw(ids.start()), 4u);
}

}  // namespace
}  // namespace cairn::test
