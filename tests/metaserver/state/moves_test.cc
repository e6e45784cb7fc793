// Shards that are planned and moved, what they leave behind, and the states of servers.
#include <gmock/gmock.h>

#include "metaserver/state/rows.h"
#include "tests/metaserver/state/machine.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ServerId kOne{1}, kTwo{2}, kThree{3}, kFour{4}, kFive{5};

class MovesTest : public testing::Test {
 protected:
  MovesTest() {
    session_ = machine_.open_session();
    chunk_ = machine_.open_chunk(session_);  // on servers 1, 2 and 3
    const InodeId inode = machine_.make(session_, kRootInode, "a").attributes.inode;
    const auto committed = machine_.commit_extent(session_, chunk_, inode, 0, 8192);
    EXPECT_TRUE(committed.ok());
    EXPECT_TRUE(machine_.done(session_, SealChunks{{chunk_.chunk}}).ok());
  }
  std::vector<ServerId> servers() const { return machine_.chunk(chunk_.chunk).servers; }
  std::vector<StaleShard> stale(ServerId server) const {
    std::vector<StaleShard> found;
    const auto rows = queries::stale_shards(*machine_.view(), server, ChunkId{}, 100).value();
    for (const auto& record : rows) found.push_back(record.shard);
    return found;
  }
  StaleShard at(ServerId server, uint8_t shard = 1) const { return {server, chunk_.chunk, shard}; }
  void plan(ServerId to, uint8_t shard = 1) { ASSERT_TRUE(machine_.done({}, PlanShards{{at(to, shard)}}).ok()); }
  void move(ServerId from, ServerId to, uint8_t shard = 1) {
    ASSERT_TRUE(machine_.done({}, MoveShards{{{chunk_.chunk, shard, from, to}}}).ok());
  }

  Machine machine_{5};
  SessionId session_{};
  ChunkInfo chunk_;
};

TEST_F(MovesTest, AMovedShardIsNamedAtItsNewServerAndStaleAtItsOldOne) {
  plan(kFour);
  EXPECT_THAT(stale(kFour), ElementsAre(at(kFour))) << "until it is named there";
  move(kTwo, kFour);
  EXPECT_THAT(servers(), ElementsAre(kOne, kFour, kThree));
  EXPECT_THAT(stale(kFour), IsEmpty());
  EXPECT_THAT(stale(kTwo), ElementsAre(at(kTwo)));
  move(kTwo, kFour);
  EXPECT_THAT(stale(kFour), IsEmpty()) << "asked twice";
  ASSERT_TRUE(machine_.done({}, StaleShardsRemoved{{at(kTwo)}}).ok());
  EXPECT_THAT(stale(kTwo), IsEmpty());
}

TEST_F(MovesTest, AMoveThatTheRowDoesNotAllowLeavesWhatWasMadeForRemoval) {
  plan(kFour);
  plan(kFive);
  move(kTwo, kFour);
  move(kTwo, kFive);
  EXPECT_THAT(servers(), ElementsAre(kOne, kFour, kThree));
  EXPECT_THAT(stale(kFive), ElementsAre(at(kFive)));
  move(kFour, kThree);
  EXPECT_THAT(servers(), ElementsAre(kOne, kFour, kThree)) << "server 3 holds another shard of the chunk";
}

TEST_F(MovesTest, WhatWasNotPlannedIsNotMoved) {
  move(kTwo, kFour);
  EXPECT_THAT(servers(), ElementsAre(kOne, kTwo, kThree));
  EXPECT_THAT(stale(kFour), ElementsAre(at(kFour)));
}

TEST_F(MovesTest, AServerThatMayStillHaveTheShardIsNotPlannedFor) {
  plan(kFour);
  move(kTwo, kFour);
  EXPECT_EQ(machine_.code({}, PlanShards{{at(kTwo)}}), Errc::exists) << "it is being removed there";
  EXPECT_EQ(machine_.code({}, PlanShards{{at(kThree)}}), Errc::exists) << "it has shard 2";
  EXPECT_EQ(machine_.code({}, PlanShards{{at(ServerId{9})}}), Errc::not_found);
  EXPECT_EQ(machine_.code({}, PlanShards{{{kFive, ChunkId{99}, 0}}}), Errc::not_found);
}

TEST_F(MovesTest, ADeadChunkDoesNotMove) {
  plan(kFour);
  const auto removed = machine_.call<Removed>(session_, RemoveName{kRootInode, "a", false});
  ASSERT_TRUE(removed.ok());
  ASSERT_TRUE(machine_.done(session_, ForgetOrphans{{removed->inode}}).ok());
  move(kTwo, kFour);
  EXPECT_THAT(servers(), ElementsAre(kOne, kTwo, kThree));
  EXPECT_THAT(stale(kFour), ElementsAre(at(kFour)));
}

TEST_F(MovesTest, AServersStateIsKeptAndRemovalIsForGood) {
  const auto state = [&](ServerId server) {
    const auto rows = queries::servers(*machine_.view()).value();
    for (const auto& record : rows) {
      if (record.server == server) return record.state;
    }
    return ServerState::removed;
  };
  const Epoch before = machine_.counters().map_epoch;
  ASSERT_TRUE(machine_.done({}, SetServerState{kTwo, ServerState::draining}).ok());
  EXPECT_EQ(state(kTwo), ServerState::draining);
  EXPECT_GT(raw(machine_.counters().map_epoch), raw(before));
  ASSERT_TRUE(machine_.done({}, SetServerState{kTwo, ServerState::active}).ok());
  EXPECT_EQ(state(kTwo), ServerState::active);
  ASSERT_TRUE(machine_.done({}, SetServerState{kTwo, ServerState::removed}).ok());
  EXPECT_EQ(machine_.code({}, SetServerState{kTwo, ServerState::active}), Errc::invalid);
  EXPECT_EQ(machine_.code({}, SetServerState{ServerId{77}, ServerState::draining}), Errc::not_found);
  plan(kFour);
  move(kTwo, kFour);
  EXPECT_THAT(stale(kTwo), IsEmpty()) << "what lies on a server that is gone needs no removal";
  EXPECT_EQ(machine_.code({}, PlanShards{{at(kTwo)}}), Errc::not_found);
}

TEST_F(MovesTest, StripesThatArePunchedAreLeftOut) {
  const auto stripes = queries::stripes(*machine_.view(), chunk_.chunk, 0, 100);
  ASSERT_TRUE(stripes.ok());
  ASSERT_FALSE(stripes->empty());
  EXPECT_FALSE(stripes->front().dead);
  EXPECT_EQ(queries::punched(*machine_.view(), chunk_.chunk, stripes->front().place).value(), false);
  EXPECT_EQ(queries::punched(*machine_.view(), chunk_.chunk, 1u << 29).code(), Errc::not_found);
}

TEST_F(MovesTest, TheLogGivesTheSameStateAgain) {
  plan(kFour);
  move(kTwo, kFour);
  move(kTwo, kFive);
  ASSERT_TRUE(machine_.done({}, SetServerState{kTwo, ServerState::draining}).ok());
  EXPECT_EQ(replayed_hash(machine_.log, 1), machine_.hash());
  EXPECT_EQ(replayed_hash(machine_.log, 7), machine_.hash());
}

}  // namespace
}  // namespace cairn
