#include "metaserver/log/commit_batcher.h"

#include <gmock/gmock.h>

namespace cairn {
namespace {

using testing::ElementsAre;

Command command() { return Command{{}, 0, SealChunks{}}; }

TEST(CommitBatcherTest, TheNextBatchGathersWhileOneIsUnderWay) {
  CommitBatcher batcher({}, LogIndex{10}, 100);
  EXPECT_FALSE(batcher.take(200));
  EXPECT_EQ(*batcher.offer(command(), 10), 1u);
  auto batch = batcher.take(200);
  ASSERT_TRUE(batch);
  EXPECT_EQ(raw(batch->first), 11u);
  EXPECT_THAT(batch->tickets, ElementsAre(1));
  (void)batcher.offer(command(), 10);
  (void)batcher.offer(command(), 10);
  EXPECT_FALSE(batcher.take(201)) << "one is under way";
  batcher.committed();
  EXPECT_EQ(raw(batcher.applied()), 11u);
  batch = batcher.take(202);
  ASSERT_TRUE(batch);
  EXPECT_EQ(raw(batch->first), 12u);
  EXPECT_THAT(batch->tickets, ElementsAre(2, 3));
}

TEST(CommitBatcherTest, ABatchIsBoundedInCommandsAndBytes) {
  CommitBatcher batcher({.batch_commands = 3, .batch_bytes = 100}, LogIndex{0}, 0);
  for (int i = 0; i < 5; ++i) (void)batcher.offer(command(), 10);
  EXPECT_EQ(batcher.take(0)->commands.size(), 3u);
  batcher.committed();
  (void)batcher.offer(command(), 1000);
  EXPECT_EQ(batcher.take(0)->commands.size(), 2u);
  batcher.committed();
  EXPECT_EQ(batcher.take(0)->commands.size(), 1u) << "one that is larger than a batch goes alone";
}

TEST(CommitBatcherTest, TimeGoesForwardWithEachBatchAlsoAfterARestart) {
  CommitBatcher batcher({}, LogIndex{10}, 1000);
  std::vector<int64_t> times;
  for (const int64_t wall : {500, 1500, 1400, 1501}) {
    (void)batcher.offer(command(), 1);
    times.push_back(batcher.take(wall)->commands[0].wall_ns);
    batcher.committed();
  }
  EXPECT_THAT(times, ElementsAre(1001, 1500, 1501, 1502));
}

TEST(CommitBatcherTest, TooMuchWaitingIsRefusedAsBusy) {
  CommitBatcher batcher({.waiting_commands = 2, .waiting_bytes = 1000}, LogIndex{0}, 0);
  EXPECT_TRUE(batcher.offer(command(), 5000).ok()) << "a large one alone is fine";
  EXPECT_EQ(batcher.offer(command(), 10).code(), Errc::busy);
  (void)batcher.take(0);
  EXPECT_TRUE(batcher.offer(command(), 10).ok());
  EXPECT_TRUE(batcher.offer(command(), 10).ok());
  EXPECT_EQ(batcher.offer(command(), 10).code(), Errc::busy);
}

TEST(CommitBatcherTest, AFailureLeavesNobodyWithoutAnAnswer) {
  CommitBatcher batcher({.batch_commands = 2}, LogIndex{0}, 0);
  for (int i = 0; i < 4; ++i) (void)batcher.offer(command(), 1);
  (void)batcher.take(0);
  EXPECT_THAT(batcher.fail({Errc::unavailable, "disk"}), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(batcher.offer(command(), 1).code(), Errc::unavailable);
  EXPECT_FALSE(batcher.take(0));
  EXPECT_THAT(batcher.fail({Errc::unavailable, "again"}), ElementsAre());
}

}  // namespace
}  // namespace cairn
