#include "common/base/log_limit.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(LogLimitTest, ABurstIsWrittenThenOneLineEachIntervalWithTheNumberOfThoseLeftOut) {
  LogLimit limit(3, 10s);
  Instant now{1'000'000'000'000};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.admit(now), std::string()) << i;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limit.admit(now + 9s), std::nullopt) << i;
  EXPECT_EQ(limit.admit(now + 10s), std::string(" (1000 more like this were left out)"));
  EXPECT_EQ(limit.admit(now + 19s), std::nullopt);
  EXPECT_EQ(limit.admit(now + 20s), std::string(" (1 more like this were left out)"));
}

TEST(LogLimitTest, ALongFloodWritesOneLineEachInterval) {
  LogLimit limit(10, 10s);
  Instant now{1};
  int lines = 0;
  for (int i = 0; i < 100'000; ++i, now = now + 100ms) lines += limit.admit(now).has_value() ? 1 : 0;
  EXPECT_LE(lines, 10 + 1000);
  EXPECT_GE(lines, 1000);
}

TEST(LogLimitTest, AQuietTimeEarnsAtMostOneBurst) {
  LogLimit limit(2, 10s);
  const Instant later{3'600'000'000'000};
  EXPECT_TRUE(limit.admit(later).has_value());
  EXPECT_TRUE(limit.admit(later).has_value());
  EXPECT_FALSE(limit.admit(later).has_value());
}

}  // namespace
}  // namespace cairn
