#include "common/stripe/open_chunk_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ChunkInfo chunk_of(Code code) {
  ChunkInfo info;
  info.chunk = ChunkId{7};
  info.code = code;
  for (uint32_t i = 0; i < code.shards(); ++i) info.servers.push_back(ServerId{10 + i});
  info.shard_limit = 100'000;
  return info;
}

std::vector<uint32_t> shards(const std::vector<OpenChunkState::SyncAsk>& asks) {
  std::vector<uint32_t> result;
  for (const auto& ask : asks) result.push_back(ask.shard);
  return result;
}

TEST(OpenChunkStateTest, PlacesFollowEachOtherUntilTheLimit) {
  OpenChunkState state(chunk_of({2, 1}));
  EXPECT_EQ(state.give_place(40'000), 0u);
  EXPECT_EQ(state.give_place(40'000), 40'000u);
  EXPECT_TRUE(state.has_room());
  EXPECT_EQ(state.give_place(40'000), 80'000u);
  EXPECT_FALSE(state.has_room());
}

TEST(OpenChunkStateTest, SmallStripesRotateOverTheDataShards) {
  OpenChunkState state(chunk_of({4, 2}));
  std::vector<uint32_t> firsts;
  for (int i = 0; i < 5; ++i) firsts.push_back(state.next_first_cell(1));
  EXPECT_THAT(firsts, ElementsAre(0, 1, 2, 3, 0));
  EXPECT_EQ(state.next_first_cell(2), 1u);
  EXPECT_EQ(state.next_first_cell(2), 0u);  // cells 3 and 4 there are not
  EXPECT_EQ(state.next_first_cell(4), 0u);
}

TEST(OpenChunkStateTest, OnlyShardsThatAreNotDurableAreAskedToSync) {
  OpenChunkState state(chunk_of({2, 1}));
  ASSERT_TRUE(state.on_appended(0, 0, 8192, false, BootId{1}, 8192).ok());
  ASSERT_TRUE(state.on_appended(2, 0, 8192, true, BootId{1}, 8192).ok());
  state.on_stripe_appended(12288);
  EXPECT_THAT(shards(state.syncs_for(12288)), ElementsAre(0));
  ASSERT_TRUE(state.on_appended(1, 12288, 20480, false, BootId{1}, 20480).ok());
  ASSERT_TRUE(state.on_appended(2, 12288, 20480, false, BootId{1}, 20480).ok());
  state.on_stripe_appended(24576);
  EXPECT_THAT(shards(state.syncs_for(12288)), ElementsAre(0));  // the second stripe is of no interest
  EXPECT_THAT(shards(state.syncs_for(24576)), ElementsAre(0, 1, 2));
  const auto asks = state.syncs_for(24576);
  ASSERT_TRUE(state.on_appended(0, 24576, 32768, false, BootId{1}, 32768).ok());  // meanwhile
  for (const auto& ask : asks) ASSERT_TRUE(state.on_synced(ask, BootId{1}, ask.end).ok());
  EXPECT_TRUE(state.durable(24576));
  EXPECT_FALSE(state.durable(36864));
}

TEST(OpenChunkStateTest, ARestartBetweenAppendsOrBeforeTheSyncBreaksTheChunk) {
  OpenChunkState state(chunk_of({2, 1}));
  ASSERT_TRUE(state.on_appended(0, 0, 8192, false, BootId{1}, 8192).ok());
  EXPECT_EQ(state.on_appended(0, 12288, 20480, false, BootId{2}, 20480).code(), Errc::stale_boot);
  EXPECT_TRUE(state.broken());
  EXPECT_THAT(state.failed_servers(), ElementsAre(ServerId{10}));

  OpenChunkState other(chunk_of({2, 1}));
  ASSERT_TRUE(other.on_appended(1, 0, 8192, false, BootId{1}, 8192).ok());
  EXPECT_FALSE(other.on_synced(other.syncs_for(12288)[0], BootId{2}, 8192).ok());
  EXPECT_FALSE(other.durable(12288));
  EXPECT_THAT(other.why().what, HasSubstr("chunk 7: shard 1 on server 11"));
}

TEST(OpenChunkStateTest, AnUnexpectedEndBreaksTheChunk) {
  OpenChunkState state(chunk_of({2, 1}));
  EXPECT_EQ(state.on_appended(0, 0, 8192, false, BootId{1}, 12288).code(), Errc::io);
  EXPECT_TRUE(state.broken());
  OpenChunkState other(chunk_of({2, 1}));
  ASSERT_TRUE(other.on_appended(0, 0, 8192, false, BootId{1}, 8192).ok());
  EXPECT_FALSE(other.on_synced(other.syncs_for(12288)[0], BootId{1}, 4096).ok());
}

TEST(OpenChunkStateTest, AnswersOutOfOrderBreakTheChunk) {
  OpenChunkState state(chunk_of({2, 1}));
  ASSERT_TRUE(state.on_appended(0, 12288, 20480, false, BootId{1}, 20480).ok());
  EXPECT_FALSE(state.on_appended(0, 0, 8192, false, BootId{1}, 8192).ok());
  EXPECT_TRUE(state.broken());
}

TEST(OpenChunkStateTest, TheFirstFailureIsTheReasonAndEachServerIsNamedOnce) {
  OpenChunkState state(chunk_of({2, 1}));
  state.on_failed(2, {Errc::unavailable, "refused"});
  state.on_failed(2, {Errc::unavailable, "refused"});
  state.on_failed(0, {Errc::no_space, "full"});
  EXPECT_EQ(state.why().code, Errc::unavailable);
  EXPECT_THAT(state.failed_servers(), ElementsAre(ServerId{12}, ServerId{10}));
  EXPECT_FALSE(state.has_room());
}

TEST(OpenChunkStateTest, AFenceIsNotTheServersFault) {
  OpenChunkState state(chunk_of({2, 1}));
  state.on_failed(1, {Errc::stale_epoch, "sealed"});
  EXPECT_EQ(state.why().code, Errc::stale_epoch);
  EXPECT_TRUE(state.failed_servers().empty());
}

TEST(OpenChunkStateTest, CommitsTakeTurns) {
  OpenChunkState state(chunk_of({2, 1}));
  EXPECT_TRUE(state.may_commit(0));
  EXPECT_FALSE(state.may_commit(12288));
  state.on_committed(12288);
  EXPECT_TRUE(state.may_commit(12288));
  EXPECT_FALSE(state.may_commit(24576));
}

}  // namespace
}  // namespace cairn
