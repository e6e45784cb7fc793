// The judge of shared registers: it must object to what no order of the calls explains, and to nothing else.
#include "tests/campaign/shared_files.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

Instant at(int64_t second) { return Instant{second * 1'000'000'000}; }

TEST(RegisterModelTest, WhatWasReplacedBeforeAReadBeganMayNotShow) {
  RegisterModel model;
  const uint64_t first = model.begin_write(at(1));
  model.end_write(first, at(2));
  const uint64_t second = model.begin_write(at(3));
  EXPECT_FALSE(model.objection(first, at(3), at(5))) << "the second write is under way";
  model.end_write(second, at(6));
  EXPECT_FALSE(model.objection(first, at(4), at(7))) << "the read is older than its end";
  EXPECT_TRUE(model.objection(first, at(8), at(9)));
  EXPECT_FALSE(model.objection(second, at(8), at(9)));
  EXPECT_TRUE(model.objection(77, at(8), at(9))) << "nobody wrote it";
}

TEST(RegisterModelTest, AfterALossTheFirstReadSaysWhatItIs) {
  RegisterModel model;
  const uint64_t first = model.begin_write(at(1));
  model.end_write(first, at(2));
  const uint64_t second = model.begin_write(at(3));
  model.end_write(second, at(4));
  model.forget();
  EXPECT_FALSE(model.objection(first, at(5), at(6))) << "the second was lost";
  EXPECT_TRUE(model.objection(second, at(7), at(8)));
  EXPECT_FALSE(model.objection(first, at(7), at(8)));
}

TEST(RegisterModelTest, AReadThatWasUnderWayThenMayShowWhatWasThereBefore) {
  RegisterModel model;
  const uint64_t first = model.begin_write(at(1));
  model.end_write(first, at(2));
  model.forget();
  const uint64_t second = model.begin_write(at(6));
  model.end_write(second, at(7));
  EXPECT_FALSE(model.objection(second, at(8), at(9)));
  EXPECT_FALSE(model.objection(first, at(5), at(10))) << "it began before the second write";
  EXPECT_TRUE(model.objection(first, at(9), at(10)));
}

}  // namespace
}  // namespace cairn
