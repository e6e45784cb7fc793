#include "metaserver/sessions/tree_lease.h"

#include <gmock/gmock.h>

#include <set>

#include "common/base/random.h"
#include "metaserver/sessions/event_queue.h"

namespace cairn {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr SessionId kA{1};
constexpr SessionId kB{2};
constexpr SessionId kC{3};

TEST(TreeLeaseTest, TheOnlyMountIsSole) {
  TreeLease lease(100);
  EXPECT_THAT(lease.open(kA), IsEmpty());
  EXPECT_TRUE(lease.admitted(kA));
  EXPECT_TRUE(lease.sole(kA));
  EXPECT_GE(lease.lease(kA).generation, 100u);
}

TEST(TreeLeaseTest, ASecondMountWaitsForTheAcknowledgementAndThenNobodyIsSole) {
  TreeLease lease(1);
  lease.open(kA);
  lease.seen(kA);
  const auto recalls = lease.open(kB);
  ASSERT_THAT(recalls, SizeIs(1));
  EXPECT_EQ(recalls[0].session, kA);
  EXPECT_FALSE(lease.admitted(kB));
  lease.acknowledge(kA, recalls[0].lease.generation - 1);
  EXPECT_FALSE(lease.admitted(kB)) << "an older recall's answer";
  EXPECT_THAT(lease.open(kC), IsEmpty()) << "the recall is under way";
  EXPECT_FALSE(lease.admitted(kC));
  lease.acknowledge(kA, recalls[0].lease.generation);
  EXPECT_TRUE(lease.admitted(kB));
  EXPECT_TRUE(lease.admitted(kC));
  for (const SessionId mount : {kA, kB, kC}) EXPECT_FALSE(lease.sole(mount));
}

TEST(TreeLeaseTest, TheHoldersEndAdmitsTheSecond) {
  TreeLease lease(1);
  lease.open(kA);
  lease.open(kB);
  lease.end(kA);
  EXPECT_TRUE(lease.admitted(kB));
}

TEST(TreeLeaseTest, OnlyTheLastMountIsPromoted) {
  TreeLease lease(1);
  lease.open(kA);
  const auto recalls = lease.open(kB);
  EXPECT_FALSE(lease.acquire(kA));
  lease.acknowledge(kA, recalls[0].lease.generation);
  EXPECT_FALSE(lease.acquire(kA));
  EXPECT_FALSE(lease.acquire(kB));
  lease.end(kB);
  EXPECT_TRUE(lease.acquire(kA));
  EXPECT_TRUE(lease.sole(kA));
  EXPECT_THAT(lease.open(kB), SizeIs(1)) << "and is recalled again";
}

TEST(TreeLeaseTest, AfterARestartALoneMountCountsAsSoleAndOfSeveralNoneUntilTheyHaveSaid) {
  TreeLease alone(1);
  alone.restore({kA});
  EXPECT_TRUE(alone.sole(kA));
  EXPECT_THAT(alone.open(kB), SizeIs(1));
  EXPECT_FALSE(alone.admitted(kB));

  TreeLease two(1);
  two.restore({kA, kB});
  EXPECT_FALSE(two.sole(kA));
  EXPECT_FALSE(two.acquire(kA));
  EXPECT_THAT(two.open(kC), SizeIs(2));
  EXPECT_FALSE(two.admitted(kC));
  two.release(kA);
  EXPECT_FALSE(two.sole(kB)) << "it has not said yet";
  EXPECT_THAT(two.reclaim(kB), IsEmpty()) << "it was recalled already";
  EXPECT_FALSE(two.admitted(kC)) << "B was the sole one and has not given it back";
  two.release(kB);
  EXPECT_TRUE(two.admitted(kC));
}

TEST(TreeLeaseTest, MountsWhoseOpeningWasInterruptedByARestartDoNotWaitForEachOther) {
  TreeLease lease(1);
  lease.restore({kA, kB});
  lease.open(kA);
  lease.open(kB);
  EXPECT_TRUE(lease.admitted(kA));
  EXPECT_TRUE(lease.admitted(kB));
}

TEST(TreeLeaseTest, ALateDuplicateOfAnOpeningDoesNotTakeTheLeaseFromALivingMount) {
  TreeLease lease(1);
  lease.open(kA);
  lease.seen(kA);
  lease.open(kB);
  lease.open(kA);
  EXPECT_TRUE(lease.sole(kA)) << "it still caches";
  EXPECT_FALSE(lease.admitted(kB));
}

// Mounts as they behave: they cache what they were told, answer recalls late, come, go, and ask again.
TEST(TreeLeaseTest, NeverLetsTwoInWhileOneCaches) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    TreeLease lease(1);
    struct Mount {
      bool answered = false;
      bool caches = false;
      std::vector<uint64_t> recalls;
    };
    std::map<SessionId, Mount> mounts;
    const auto deliver = [&](const std::vector<TreeLease::Recall>& recalls) {
      for (const auto& recall : recalls) {
        if (const auto it = mounts.find(recall.session); it != mounts.end())
          it->second.recalls.push_back(recall.lease.generation);
      }
    };
    for (int step = 0; step < 300; ++step) {
      const SessionId session{random.between(1, 4)};
      const auto it = mounts.find(session);
      switch (random.below(5)) {
        case 0:
          if (it == mounts.end()) {
            mounts[session];
            deliver(lease.open(session));
          }
          break;
        case 1:
          if (it != mounts.end() && !it->second.answered && lease.admitted(session)) {
            it->second.answered = true;
            it->second.caches = lease.acquire(session);
          }
          break;
        case 2:
          if (it != mounts.end() && it->second.answered && !it->second.recalls.empty()) {
            lease.seen(session);
            it->second.caches = false;
            lease.acknowledge(session, it->second.recalls.back());
            it->second.recalls.clear();
          }
          break;
        case 3:
          if (it != mounts.end() && random.one_in(3)) {
            lease.end(session);
            mounts.erase(it);
          }
          break;
        default:
          if (it != mounts.end() && it->second.answered && lease.acquire(session)) it->second.caches = true;
      }
      int in = 0, caching = 0;
      for (const auto& [id, mount] : mounts) {
        in += mount.answered ? 1 : 0;
        caching += mount.answered && mount.caches ? 1 : 0;
      }
      ASSERT_TRUE(caching == 0 || in == 1) << "seed " << seed << " step " << step;
    }
  }
}

TEST(EventQueueTest, KeepsEventsUntilTheyAreAcknowledgedAndJoinsMapChanges) {
  EventQueue queue(1000);
  queue.push_map_changed();
  queue.push_recall({InodeId{0}, LeaseKind::exclusive, 5});
  queue.push_map_changed();
  ASSERT_THAT(queue.pending(), SizeIs(2));
  EXPECT_THAT(queue.acknowledge(7), IsEmpty()) << "from before a restart";
  const auto done = queue.acknowledge(1001);
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_EQ(done[0].lease->generation, 5u);
  EXPECT_EQ(queue.pending()[0].type, EventType::map_changed);
}

}  // namespace
}  // namespace cairn
