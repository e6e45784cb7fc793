// Two mounted clients without FUSE: parked waits, signals, closes, and a metaserver that restarts under them.
#include "client/sessions/lock_keeper.h"

#include <gmock/gmock.h>

#include "tests/client/cluster_fixture.h"

namespace cairn::test {
namespace {

constexpr InodeId kFile{77};

class LockKeeperTest : public testing::Test {
 protected:
  // The outcome of one request, which may come later.
  struct Call {
    Mutex mutex;
    CondVar done;
    std::optional<LockResult> result;  // guarded by mutex
    uint64_t name = 0;

    LockResult wait() {
      Lock lock(mutex);
      done.wait_until(lock, real_clock().now() + 20s, [this] { return result.has_value(); });
      return result.value_or(Error{Errc::timed_out, "no outcome"});
    }
    bool parked() {
      const Lock lock(mutex);
      return !result.has_value();
    }
  };
  void SetUp() override {
    a_ = cluster_.mount();
    b_ = cluster_.mount();
  }
  void TearDown() override {
    must(a_->close());
    must(b_->close());
  }

  static std::shared_ptr<Call> begin(Filesystem& on, LockKeeper::Request request) {
    auto call = std::make_shared<Call>();
    call->name = on.locks().begin([call](const LockResult& result) {
      const Lock lock(call->mutex);
      call->result = result;
      call->done.notify_all();
    });
    on.locks().lock(call->name, request);
    return call;
  }
  static LockOutcome now(Filesystem& on, const LockKeeper::Request& request) { return *begin(on, request)->wait(); }
  static LockKeeper::Request flock(uint64_t owner, LockMode mode, bool wait = false) {
    return {kFile, {LockKind::flock, owner}, owner, 7, {}, mode, wait};
  }
  static LockKeeper::Request posix(uint64_t owner, uint64_t handle, LockRange range, LockMode mode, bool wait = false) {
    return {kFile, {LockKind::posix, owner}, handle, 7, range, mode, wait};
  }

  Cluster cluster_{Cluster::Options{.chunkservers = 0}};
  std::unique_ptr<Filesystem> a_, b_;
};

TEST_F(LockKeeperTest, AWaitIsParkedAndGrantedByTheOtherMountsUnlock) {
  EXPECT_EQ(now(*a_, flock(1, LockMode::exclusive)), LockOutcome::granted);
  EXPECT_EQ(now(*b_, flock(1, LockMode::shared)), LockOutcome::conflict);
  const auto waits = begin(*b_, flock(1, LockMode::shared, true));
  EXPECT_TRUE(waits->parked());
  EXPECT_EQ(now(*a_, flock(1, LockMode::none)), LockOutcome::granted);
  EXPECT_EQ(*waits->wait(), LockOutcome::granted);
}

TEST_F(LockKeeperTest, ASignalEndsAWaitAtAnyMoment) {
  EXPECT_EQ(now(*a_, flock(1, LockMode::exclusive)), LockOutcome::granted);
  const auto waits = begin(*b_, flock(1, LockMode::shared, true));
  b_->locks().interrupt(waits->name);
  EXPECT_EQ(waits->wait().code(), Errc::interrupted);
  EXPECT_TRUE(b_->locks().holds_nothing());
  std::optional<LockResult> early;
  const uint64_t name = b_->locks().begin([&](const LockResult& result) { early = result; });
  b_->locks().interrupt(name);
  b_->locks().lock(name, flock(1, LockMode::shared, true));
  ASSERT_TRUE(early.has_value());
  EXPECT_EQ(early->code(), Errc::interrupted);
  b_->locks().interrupt(name);  // long gone
}

TEST_F(LockKeeperTest, ClosesGiveBackWhatEndsWithThem) {
  EXPECT_EQ(now(*a_, posix(1, 10, {0, 4}, LockMode::exclusive)), LockOutcome::granted);
  EXPECT_EQ(now(*a_, posix(2, 11, {5, 9}, LockMode::exclusive)), LockOutcome::granted);  // of a description
  a_->locks().closed(kFile, {LockKind::posix, 1});
  EXPECT_EQ(now(*b_, posix(1, 10, {0, 4}, LockMode::exclusive)), LockOutcome::granted);
  a_->locks().released(kFile, 10);
  EXPECT_EQ(now(*b_, posix(1, 10, {5, 9}, LockMode::exclusive)), LockOutcome::conflict);
  a_->locks().released(kFile, 11);
  EXPECT_TRUE(a_->locks().holds_nothing());
  EXPECT_EQ(now(*b_, posix(1, 10, {5, 9}, LockMode::exclusive)), LockOutcome::granted);
}

TEST_F(LockKeeperTest, ARestartedMetaserverIsToldWhatIsHeldAndWaitedFor) {
  EXPECT_EQ(now(*a_, flock(1, LockMode::exclusive)), LockOutcome::granted);
  EXPECT_EQ(now(*a_, posix(1, 10, {3, 5}, LockMode::exclusive)), LockOutcome::granted);
  const auto waits = begin(*b_, flock(1, LockMode::exclusive, true));
  cluster_.kill_metaserver();
  cluster_.start_metaserver();
  EXPECT_EQ(now(*b_, posix(1, 10, {5, 5}, LockMode::shared)), LockOutcome::conflict) << "also in the first moment";
  EXPECT_EQ(now(*b_, posix(1, 10, {6, 6}, LockMode::shared)), LockOutcome::granted);
  EXPECT_TRUE(waits->parked());
  EXPECT_EQ(now(*a_, flock(1, LockMode::none)), LockOutcome::granted);
  EXPECT_EQ(*waits->wait(), LockOutcome::granted);
  must(a_->locks().reclaim());
  EXPECT_EQ(now(*b_, posix(1, 10, {4, 4}, LockMode::shared)), LockOutcome::conflict) << "told twice is held once";
}

TEST_F(LockKeeperTest, WhoWaitsIsToldWhenTheMountGoesAway) {
  EXPECT_EQ(now(*a_, flock(1, LockMode::exclusive)), LockOutcome::granted);
  const auto waits = begin(*b_, flock(1, LockMode::exclusive, true));
  b_->locks().fail_all({Errc::io, "the mount goes away"});
  EXPECT_EQ(waits->wait().code(), Errc::io);
  EXPECT_EQ(begin(*b_, flock(2, LockMode::shared))->wait().code(), Errc::io);
}

}  // namespace
}  // namespace cairn::test
