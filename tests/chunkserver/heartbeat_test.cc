#include "chunkserver/heartbeat.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

TEST(HeartbeatPlanTest, BacksOffWhileTheMetaserverIsAwayAndComesBackAtOnce) {
  HeartbeatPlan plan;
  EXPECT_EQ(plan.on_answer(1s), 1s);
  EXPECT_EQ(plan.on_failure(Errc::unavailable), 250ms);
  EXPECT_EQ(plan.on_failure(Errc::timed_out), 500ms);
  EXPECT_EQ(plan.on_failure(Errc::unavailable), 1s);
  EXPECT_EQ(plan.on_failure(Errc::unavailable), 2s);
  EXPECT_EQ(plan.on_failure(Errc::unavailable), 2s);
  EXPECT_EQ(plan.on_answer(1s), 1s);
  EXPECT_EQ(plan.on_failure(Errc::unavailable), 250ms);
}

TEST(HeartbeatPlanTest, ARefusalIsNotHammeredAndAnAnswerIsBounded) {
  HeartbeatPlan plan;
  EXPECT_EQ(plan.on_failure(Errc::stale_epoch), HeartbeatPlan::kRefusedPause);
  EXPECT_EQ(plan.on_answer(0s), HeartbeatPlan::kShortest);
  EXPECT_EQ(plan.on_answer(-5s), HeartbeatPlan::kShortest);
  EXPECT_EQ(plan.on_answer(1h), HeartbeatPlan::kLongest);
}

TEST(HeartbeaterTest, RegistersTakesItsIdAndStopsWhileItWaits) {
  test::TemporaryDirectory directory;
  auto identity = IdentityFile::open(real_disk(), directory.path(), 7);
  ASSERT_TRUE(identity.ok());
  std::atomic<int> beats = 0;
  Heartbeater heartbeater(
      real_clock(), **identity, [] { return Result<Heartbeat>(Heartbeat{}); },
      [&](const Heartbeat&) -> Result<HeartbeatAnswer> {
        if (++beats == 1) return {Errc::unavailable, "not yet"};
        return HeartbeatAnswer{ServerId{3}, Incarnation{9}, Epoch{1}, 60s};
      });
  heartbeater.start();
  EXPECT_TRUE(heartbeater.wait_until_registered(real_clock().now() + 30s));
  EXPECT_EQ(beats, 2);
  EXPECT_EQ((*identity)->get().server, ServerId{3});
  Instant before = real_clock().now();
  heartbeater.stop();  // in the middle of its 60 s
  EXPECT_LT(real_clock().now() - before, 10s);
}

TEST(HeartbeaterTest, AnotherClustersAnswerDoesNotRegister) {
  test::TemporaryDirectory directory;
  auto identity = IdentityFile::open(real_disk(), directory.path(), 7);
  ASSERT_TRUE((*identity)->adopt(Incarnation{1}, ServerId{1}).ok());
  Mutex mutex;
  CondVar answered;
  bool done = false;
  Heartbeater heartbeater(
      real_clock(), **identity, [] { return Result<Heartbeat>(Heartbeat{}); },
      [&](const Heartbeat&) -> Result<HeartbeatAnswer> {
        Lock lock(mutex);
        done = true;
        answered.notify_all();
        return HeartbeatAnswer{ServerId{3}, Incarnation{9}, Epoch{1}, 50ms};
      });
  heartbeater.start();
  {
    Lock lock(mutex);
    answered.wait(lock, [&] { return done; });
  }
  heartbeater.stop();
  EXPECT_FALSE(heartbeater.registered());
  EXPECT_EQ((*identity)->get().incarnation, Incarnation{1});
}

}  // namespace
}  // namespace cairn
