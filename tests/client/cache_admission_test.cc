#include "client/cache/cache_admission.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace cairn {
namespace {

TEST(FrequencySketchTest, CountsWhatIsAddedUpToAMostAndHardlyMore) {
  FrequencySketch sketch(4096);
  for (uint64_t i = 0; i < 1000; ++i) {
    for (uint64_t n = 0; n < i % 20; ++n) sketch.add(mix64(i));
  }
  int too_high = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    EXPECT_GE(sketch.count(mix64(i)), std::min<uint64_t>(i % 20, 15));
    if (sketch.count(mix64(i)) > i % 20) ++too_high;
  }
  EXPECT_LT(too_high, 20);
}

TEST(FrequencySketchTest, ForgetsWhatWasOnceLoved) {
  FrequencySketch sketch(1024);
  for (int i = 0; i < 12; ++i) sketch.add(mix64(7));
  EXPECT_EQ(sketch.count(mix64(7)), 12u);
  for (uint64_t i = 0; i < 4 * 10 * 1024; ++i) sketch.add(mix64(1000 + i));
  EXPECT_LT(sketch.count(mix64(7)), 9u);
}

TEST(AdmissionTest, UsesWithinOneVisitCountOnce) {
  Admission admission(1024);
  EXPECT_TRUE(admission.note(mix64(1)));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(admission.note(mix64(1)));
  EXPECT_TRUE(admission.worth_more(mix64(1), 0.5));
  EXPECT_FALSE(admission.worth_more(mix64(1), 1));
  for (uint64_t i = 0; i < 300; ++i) admission.note(mix64(100 + i));
  EXPECT_TRUE(admission.note(mix64(1)));
  EXPECT_TRUE(admission.worth_more(mix64(1), 1));
}

}  // namespace
}  // namespace cairn
