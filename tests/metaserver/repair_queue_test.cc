#include "metaserver/servers/repair_queue.h"

#include <gmock/gmock.h>

#include "metaserver/servers/repair_pace.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint64_t kMiB = 1u << 20;

ChunkInfo chunk(uint64_t id, uint64_t live_bytes, bool sealed = true) {
  ChunkInfo info{.chunk = ChunkId{id}, .code = {4, 2}, .servers = {}};
  for (uint32_t i = 1; i <= 6; ++i) info.servers.push_back(ServerId{i});
  info.sealed = sealed;
  info.live_bytes = live_bytes;
  return info;
}
std::map<ServerId, Health> all_up() {
  std::map<ServerId, Health> health;
  for (uint32_t i = 1; i <= 8; ++i) health[ServerId{i}] = Health::up;
  return health;
}
std::vector<std::pair<uint64_t, int>> order(const RepairScan::Found& found) {
  std::vector<std::pair<uint64_t, int>> list;
  for (const RepairWant& want : found.wants) list.emplace_back(raw(want.chunk), want.shard);
  return list;
}

TEST(RepairQueueTest, NothingIsWantedOfServersThatMayHaveTheirShards) {
  auto health = all_up();
  health[ServerId{1}] = Health::suspect;
  health[ServerId{2}] = Health::unknown;
  EXPECT_THAT(wants_of(chunk(1, kMiB), health, 0), IsEmpty());
}

TEST(RepairQueueTest, AServerThatComesBackIsWantedNoMore) {
  auto health = all_up();
  health[ServerId{3}] = Health::down;
  EXPECT_THAT(wants_of(chunk(1, kMiB), health, 0), SizeIs(1));
  health[ServerId{3}] = Health::up;
  EXPECT_THAT(wants_of(chunk(1, kMiB), health, 0), IsEmpty());
}

TEST(RepairQueueTest, AServerThatDoesNotBelongAnyMoreHasLostItsShards) {
  auto health = all_up();
  health.erase(ServerId{3});
  const auto wants = wants_of(chunk(1, kMiB), health, 0);
  ASSERT_THAT(wants, SizeIs(1));
  EXPECT_EQ(wants[0].shard, 2);
  EXPECT_EQ(wants[0].reason, WantReason::gone);
  EXPECT_EQ(wants[0].spare, 1);
}

TEST(RepairQueueTest, TheLeastRedundantComeFirstThenTheFullestAndDrainingLast) {
  auto health = all_up();
  health[ServerId{1}] = Health::down;
  health[ServerId{8}] = Health::draining;
  RepairScan scan(100);
  ChunkInfo drained = chunk(1, 64 * kMiB);
  drained.servers[0] = ServerId{8};
  scan.add(drained, health, 0);
  scan.add(chunk(2, kMiB), health, 0);
  scan.add(chunk(3, 2 * kMiB), health, 0);
  scan.add(chunk(4, kMiB), health, 0b10);
  ChunkInfo both = chunk(5, kMiB);
  both.servers[5] = ServerId{8};
  scan.add(both, health, 0);
  const auto found = scan.take();
  EXPECT_THAT(order(found), ElementsAre(std::pair(4, 0), std::pair(4, 1), std::pair(3, 0), std::pair(2, 0),
                                        std::pair(5, 0), std::pair(5, 5), std::pair(1, 0)));
  EXPECT_EQ(found.shards, 7u);
}

TEST(RepairQueueTest, OnlyTheMostUrgentAreRememberedAndAllAreCounted) {
  auto health = all_up();
  health[ServerId{1}] = Health::down;
  RepairScan scan(3);
  for (uint64_t id = 1; id <= 50; ++id) scan.add(chunk(id, id * kMiB), health, id == 7 ? 0b100 : 0);
  const auto found = scan.take();
  EXPECT_THAT(order(found), ElementsAre(std::pair(7, 0), std::pair(7, 2), std::pair(50, 0)));
  EXPECT_EQ(found.shards, 51u);
}

TEST(RepairQueueTest, DeadChunksAreLeftAloneAndOpenOnesAreSealedFirst) {
  auto health = all_up();
  health[ServerId{1}] = Health::down;
  RepairScan scan(10);
  scan.add(chunk(1, 0), health, 0);
  scan.add(chunk(2, kMiB, false), health, 0);
  ChunkInfo elsewhere = chunk(3, kMiB, false);
  elsewhere.servers[0] = ServerId{7};
  scan.add(elsewhere, health, 0);
  const auto found = scan.take();
  EXPECT_THAT(found.wants, IsEmpty());
  EXPECT_THAT(found.to_seal, ElementsAre(ChunkId{2}));
}

TEST(RepairPaceTest, ABudgetIsKeptOverTimeAndSavesNoMoreThanASecond) {
  ByteBudget budget(100);
  const Instant start{1'000'000'000'000};
  EXPECT_EQ(budget.take(100, start), start);
  EXPECT_EQ(budget.take(200, start), start);
  EXPECT_EQ(budget.take(100, start), start + 2s);
  EXPECT_EQ(budget.take(50, start + 60s), start + 60s);
  EXPECT_EQ(ByteBudget(0).take(UINT64_MAX, start), start);
}

TEST(RepairPaceTest, ARateIsThatOfTheLastSeconds) {
  RateMeter rate;
  const Instant start{1'000'000'000'000};
  EXPECT_EQ(rate.bytes_per_second(start), 0u);
  for (int i = 0; i < 10; ++i) rate.add(1000, start + i * 1s);
  EXPECT_EQ(rate.bytes_per_second(start + 10s), 1000u);
  EXPECT_EQ(rate.bytes_per_second(start + 60s), 0u);
}

}  // namespace
}  // namespace cairn
