#include "common/base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace cairn {
namespace {

TEST(RandomTest, OneSeedGivesOneSequence) {
  Random a(42), b(42), c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = a();
    EXPECT_EQ(value, b());
    differs = differs || value != c();
  }
  EXPECT_TRUE(differs);
}

TEST(RandomTest, BoundsHoldAndEveryValueComes) {
  Random random(1);
  std::array<int, 6> seen{};
  for (int i = 0; i < 6000; ++i) ++seen.at(random.below(6));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 200);
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = random.between(3, 5);
    EXPECT_TRUE(value >= 3 && value <= 5);
  }
  EXPECT_EQ(random.below(0), 0u);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(RandomTest, SeedsOfAProcessDiffer) { EXPECT_NE(random_seed(), random_seed()); }

}  // namespace
}  // namespace cairn
