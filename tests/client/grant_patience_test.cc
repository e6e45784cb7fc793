#include "client/write/grant_patience.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

using Next = GrantPatience::Next;

class GrantPatienceTest : public testing::Test {
 protected:
  Next refused_after(Duration time, bool servers_may_yet_report) {
    now_ = now_ + time;
    patience_.on_refusal(now_);
    return patience_.on_map(servers_may_yet_report);
  }
  Instant now_{1'000'000};
  GrantPatience patience_{10s, 100ms};
};

TEST_F(GrantPatienceTest, AFullClusterIsAskedTwiceWithoutWaiting) {
  EXPECT_EQ(refused_after(0s, false), Next::ask_now);
  EXPECT_EQ(refused_after(1ms, false), Next::believe);
}

TEST_F(GrantPatienceTest, SilentServersAreWaitedForUntilPatienceEnds) {
  int waits = 0;
  while (refused_after(100ms, true) == Next::wait) ++waits;
  EXPECT_EQ(waits, 100);  // the first refusal has waited for nothing yet
}

TEST_F(GrantPatienceTest, ServersThatReportBehindTheRefusalAreAskedForOnceMore) {
  EXPECT_EQ(refused_after(0s, true), Next::wait);
  EXPECT_EQ(refused_after(100ms, false), Next::ask_now);
  EXPECT_EQ(refused_after(1ms, false), Next::believe);
}

TEST_F(GrantPatienceTest, AServerThatFallsSilentBetweenTwoLooksMakesTheFirstWorthNothing) {
  EXPECT_EQ(refused_after(0s, false), Next::ask_now);
  EXPECT_EQ(refused_after(1ms, true), Next::wait);
  EXPECT_EQ(refused_after(100ms, false), Next::ask_now);
  EXPECT_EQ(refused_after(1ms, false), Next::believe);
}

TEST_F(GrantPatienceTest, AMetaserverThatIsAwayCostsNoPatience) {
  EXPECT_EQ(refused_after(0s, true), Next::wait);
  for (int i = 0; i < 40; ++i) ASSERT_EQ(refused_after(60s, true), Next::wait) << i;  // each counts as 200 ms
  int waits = 0;
  while (refused_after(100ms, true) == Next::wait) ++waits;
  EXPECT_EQ(waits, 19);
}

}  // namespace
}  // namespace cairn
