#include "chunkserver/sync_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace cairn {
namespace {

using Step = SyncGroup::Step;

TEST(SyncGroupTest, NothingWrittenNeedsNoSync) {
  SyncGroup group;
  EXPECT_EQ(group.want(0), Step::done);
}

TEST(SyncGroupTest, TheFirstLeadsAndThoseWhoComeMeanwhileFollow) {
  SyncGroup group;
  group.on_written(100);
  EXPECT_EQ(group.want(100), Step::lead);
  EXPECT_EQ(group.want(50), Step::follow);
  group.finished({});
  EXPECT_EQ(group.want(50), Step::done);
  EXPECT_EQ(group.want(100), Step::done);
}

TEST(SyncGroupTest, ASyncCoversOnlyWhatWasWrittenWhenItStarted) {
  SyncGroup group;
  group.on_written(100);
  ASSERT_EQ(group.want(40), Step::lead);
  group.on_written(200);
  group.finished({});
  EXPECT_EQ(group.want(100), Step::done) << "one sync is for all that was written, not only for its leader";
  EXPECT_EQ(group.want(200), Step::lead);
}

TEST(SyncGroupTest, AFailureIsForGoodButWhatWasDurableStaysSo) {
  SyncGroup group;
  group.on_written(100);
  ASSERT_EQ(group.want(100), Step::lead);
  group.finished({});
  group.on_written(200);
  ASSERT_EQ(group.want(200), Step::lead);
  ASSERT_EQ(group.want(150), Step::follow);
  group.finished({Errc::io, "lost"});
  EXPECT_EQ(group.want(150), Step::failed);
  EXPECT_EQ(group.want(100), Step::done);
  group.on_written(300);
  EXPECT_EQ(group.want(300), Step::failed);
  EXPECT_EQ(group.failure()->what, "lost");
}

TEST(SharedSyncTest, ManyWaitersShareFewSyncs) {
  constexpr size_t kWaiters = 32;
  SharedSync shared;
  Mutex mutex;
  CondVar changed;
  bool go = false;
  size_t arrived = 0;
  std::atomic<int> syncs = 0;
  shared.on_written(kWaiters);
  auto sync_now = [&]() -> Status {
    ++syncs;
    Lock lock(mutex);
    changed.wait(lock, [&] { return go; });
    return {};
  };
  std::vector<Thread> waiters;
  for (size_t i = 1; i <= kWaiters; ++i) {
    waiters.emplace_back("waiter", [&, i] {
      {
        Lock lock(mutex);
        ++arrived;
        changed.notify_all();
      }
      EXPECT_TRUE(shared.wait(i, sync_now).ok());
    });
  }
  {
    Lock lock(mutex);
    changed.wait(lock, [&] { return arrived == kWaiters; });
    go = true;
    changed.notify_all();
  }
  for (Thread& waiter : waiters) waiter.join();
  EXPECT_EQ(syncs, 1);
  EXPECT_EQ(shared.syncs(), 1u);
}

}  // namespace
}  // namespace cairn
