#include "chunkserver/space_meter.h"

#include <gtest/gtest.h>

#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

class HandClock : public Clock {
 public:
  Instant now() const override { return now_; }
  int64_t wall_ns() const override { return now_.ns; }
  void advance(Duration by) { now_ = now_ + by; }

 private:
  Instant now_{1};
};

constexpr ReserveOptions kReserve{.percent = 0, .bytes = 100, .refresh_after = 1s, .refresh_bytes = 1000};

TEST(SpaceMeterTest, WhatIsAdmittedCountsUntilTheDiskIsAskedAgain) {
  test::FaultyDisk disk(real_disk());
  HandClock clock;
  disk.free_bytes = 350;
  SpaceMeter meter(disk, clock, "/tmp", kReserve);
  EXPECT_TRUE(meter.admit(200).ok());
  EXPECT_EQ(meter.admit(51).code(), Errc::no_space);
  EXPECT_EQ(meter.usable()->free_bytes, 50u);
  disk.free_bytes = 1000;
  EXPECT_EQ(meter.admit(51).code(), Errc::no_space) << "known for less than a second";
  clock.advance(1s);
  EXPECT_TRUE(meter.admit(900).ok());
  EXPECT_EQ(meter.admit(1).code(), Errc::no_space);
}

TEST(SpaceMeterTest, ManyBytesAskTheDiskBeforeTheSecondIsOver) {
  test::FaultyDisk disk(real_disk());
  HandClock clock;
  disk.free_bytes = 1u << 20;
  SpaceMeter meter(disk, clock, "/tmp", kReserve);
  EXPECT_TRUE(meter.admit(1000).ok());
  disk.free_bytes = 50;
  EXPECT_EQ(meter.admit(1).code(), Errc::no_space);
}

TEST(SpaceMeterTest, ADiskThatDoesNotSayIsAnError) {
  HandClock clock;
  SpaceMeter meter(real_disk(), clock, "/nowhere/at/all", kReserve);
  EXPECT_FALSE(meter.admit(1).ok());
  EXPECT_FALSE(meter.usable().ok());
}

}  // namespace
}  // namespace cairn
