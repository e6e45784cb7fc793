// The sweep over a real state machine, with chunkservers in memory.
#include "metaserver/servers/shard_sweep.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "metaserver/servers/redundancy.h"
#include "tests/metaserver/servers_fixture.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// ---- the decisions

constexpr ServerId kServer{1};
const ChunkRange kAll{ChunkId{0}, ChunkId{UINT64_MAX}};

ChunkInfo info_of(uint64_t id, bool sealed = true, uint64_t live = 100) {
  ChunkInfo chunk;
  chunk.chunk = ChunkId{id};
  chunk.code = {2, 1};
  chunk.servers = {kServer, ServerId{2}, ServerId{3}};
  chunk.sealed = sealed;
  chunk.committed = 8192;
  chunk.live_bytes = live;
  return chunk;
}
ShardSummary listed(uint64_t id, uint8_t shard = 0, uint64_t end = 8192, bool failed = false) {
  ShardSummary summary;
  summary.chunk = ChunkId{id};
  summary.shard = shard;
  summary.end = end;
  summary.failed = failed;
  return summary;
}
ChunkRows rows(const std::vector<ChunkInfo>& chunks, std::set<ChunkId> unconfirmed = {}) {
  ChunkRows all;
  for (const ChunkInfo& chunk : chunks) all.chunks.emplace(chunk.chunk, chunk);
  all.unconfirmed_seals = std::move(unconfirmed);
  return all;
}
ShardFindings compare(const std::vector<ShardSummary>& list, const ChunkRows& before, const ChunkRows& after,
                      uint64_t next_chunk = 100, uint64_t least_end = 8192, ChunkRange range = kAll) {
  return compare_shards(kServer, list, range, before, after, ChunkId{next_chunk},
                        [&](const ChunkInfo&, uint8_t) -> Result<uint64_t> { return least_end; })
      .value();
}
const ShardAt kFive{kServer, ChunkId{5}, 0};

TEST(ShardComparisonTest, OnlyWhatTheLaterViewKnowsToBeGoneIsRemoved) {
  EXPECT_THAT(compare({listed(5)}, rows({}), rows({})).removed, ElementsAre(kFive));
  EXPECT_THAT(compare({listed(5)}, rows({info_of(5)}), rows({})).removed, ElementsAre(kFive)) << "removed meanwhile";
  EXPECT_THAT(compare({listed(5)}, rows({}), rows({info_of(5)})).removed, IsEmpty()) << "made meanwhile";
  EXPECT_THAT(compare({listed(5)}, rows({}), rows({info_of(5, false, 0)})).removed, IsEmpty());
  EXPECT_THAT(compare({listed(5)}, rows({}), rows({}), 100, 0, {ChunkId{5}, ChunkId{9}}).removed, IsEmpty())
      << "whose rows were not read";
}

TEST(ShardComparisonTest, AnIdThatWasNeverGivenIsForeignAndNotRemoved) {
  const ShardFindings found = compare({listed(4), listed(5)}, rows({}), rows({}), 5);
  EXPECT_THAT(found.foreign, ElementsAre(kFive));
  EXPECT_THAT(found.removed, ElementsAre(ShardAt{kServer, ChunkId{4}, 0}));
}

TEST(ShardComparisonTest, AShardThatTheRowDoesNotNameThereIsMisplaced) {
  const auto known = rows({info_of(5)});
  EXPECT_THAT(compare({listed(5, 0), listed(5, 1), listed(5, 9)}, known, known).misplaced,
              ElementsAre(ShardAt{kServer, ChunkId{5}, 1}, ShardAt{kServer, ChunkId{5}, 9}));
  EXPECT_THAT(compare({listed(5, 0), listed(5, 1)}, known, known).removed, IsEmpty());
}

TEST(ShardComparisonTest, AMissingFailedOrShortShardOfASealedChunkIsLost) {
  const auto known = rows({info_of(5)});
  EXPECT_THAT(compare({}, known, known).lost, ElementsAre(kFive));
  EXPECT_THAT(compare({listed(5, 0, 8192, true)}, known, known).lost, ElementsAre(kFive));
  EXPECT_THAT(compare({listed(5, 0, 4096)}, known, known).lost, ElementsAre(kFive));
  EXPECT_THAT(compare({listed(5, 0, 4096)}, known, known, 100, 4096).lost, IsEmpty()) << "its last cells are absent";
  EXPECT_THAT(compare({listed(5)}, known, known).lost, IsEmpty());
}

TEST(ShardComparisonTest, NothingIsLostThatBothViewsDoNotSayMustBeThere) {
  const auto sealed = rows({info_of(5)});
  EXPECT_THAT(compare({}, rows({info_of(5, false)}), sealed).lost, IsEmpty()) << "it was sealed meanwhile";
  EXPECT_THAT(compare({}, rows({}), sealed).lost, IsEmpty());
  EXPECT_THAT(compare({}, sealed, rows({})).lost, IsEmpty()) << "it went meanwhile";
  EXPECT_THAT(compare({}, sealed, rows({info_of(5, true, 0)})).lost, IsEmpty()) << "it died meanwhile";
  EXPECT_THAT(compare({}, rows({info_of(5)}, {ChunkId{5}}), sealed).lost, IsEmpty()) << "not all have sealed it yet";
}

TEST(RedundancyTest, ALostShardIsMissingOnAServerThatIsUp) {
  std::map<ServerId, Health> health;
  for (uint32_t i = 1; i <= 3; ++i) health[ServerId{i}] = Health::up;
  Redundancy sum;
  sum.add(info_of(5), health, 2, 0b010);
  EXPECT_EQ(sum.missing_shards, 1u);
  EXPECT_EQ(sum.least, 0);
  sum.add(info_of(6), health, 2, 0b011);
  EXPECT_EQ(sum.unreadable_chunks, 1u);
}

// ---- with servers

class FakeInventory : public ShardInventory {
 public:
  Result<std::vector<ShardSummary>> list(ServerId server, Incarnation incarnation, ChunkId after, uint32_t limit,
                                         Instant) override {
    EXPECT_EQ(incarnation, Incarnation{77});
    if (failing.contains(server)) return Error{Errc::timed_out, "as the test says"};
    std::vector<ShardSummary> page;
    for (const auto& [key, summary] : shards[server]) {
      if (key.first > after && page.size() < limit) page.push_back(summary);
    }
    if (on_list) on_list();
    return page;
  }
  Status remove(const ShardRef& shard, Instant) override {
    EXPECT_EQ(shard.incarnation, Incarnation{77});
    removed.push_back({shard.server, shard.chunk, shard.shard});
    shards[shard.server].erase({shard.chunk, shard.shard});
    return {};
  }
  void put(ServerId server, ChunkId chunk, uint8_t shard, uint64_t end) {
    shards[server][{chunk, shard}] = listed(raw(chunk), shard, end);
  }

  std::map<ServerId, std::map<std::pair<ChunkId, uint8_t>, ShardSummary>> shards;
  std::set<ServerId> failing;
  std::vector<ShardAt> removed;
  std::function<void()> on_list;  // behind an answer
};

class ShardSweepTest : public test::ServersFixture {
 protected:
  ShardSweepTest() : ServersFixture(3) {
    sweep_ =
        std::make_unique<ShardSweep>(clock_, store_, *cluster_, servers_,
                                     ShardSweep::Options{.pause = 0s, .incarnation = kIncarnation, .step_chunks = 3});
  }
  // A sealed chunk with one stripe (its second data cell is absent, unless it is full), as its servers hold it.
  ChunkInfo sealed_chunk(bool full = true) {
    const ChunkInfo chunk = grant();
    file_in(chunk, 0, fmt::format("f{}", raw(chunk.chunk)), 1, full ? 0x3 : 0x1);
    change<std::monostate>(SealChunks{{chunk.chunk}});
    own(SealsConfirmed{{chunk.chunk}});
    const ChunkInfo sealed = row(chunk.chunk);
    for (uint8_t shard = 0; shard < 3; ++shard)
      servers_.put(chunk.servers[shard], chunk.chunk, shard, shard == 1 && !full ? 0 : sealed.committed);
    return sealed;
  }
  // Deleted, dead, condemned, and confirmed by every server.
  void remove_chunk(const ChunkInfo& chunk) {
    const Removed removed = change<Removed>(RemoveName{kRootInode, fmt::format("f{}", raw(chunk.chunk)), false});
    change<std::monostate>(ForgetOrphans{{removed.inode}});
    own(CondemnChunks{{chunk.chunk}});
    own(ChunksRemoved{{chunk.chunk}});
    for (uint8_t shard = 0; shard < 3; ++shard) servers_.shards[chunk.servers[shard]].erase({chunk.chunk, shard});
  }
  void pass() {
    const Status done = sweep_->pass();
    ASSERT_TRUE(done.ok()) << done.error().what;
  }

  FakeInventory servers_;
  std::unique_ptr<ShardSweep> sweep_;
};

TEST_F(ShardSweepTest, AShardThatALateAppendMadeAgainIsRemovedAndNothingElse) {
  std::vector<ChunkInfo> chunks;
  for (int i = 0; i < 8; ++i) chunks.push_back(sealed_chunk(i % 2 == 0));
  pass();
  EXPECT_THAT(servers_.removed, IsEmpty());
  EXPECT_TRUE(sweep_->lost()->empty());
  for (const size_t i : {2u, 7u}) {
    remove_chunk(chunks[i]);
    servers_.put(chunks[i].servers[1], chunks[i].chunk, 1, 8192);
  }
  pass();
  EXPECT_THAT(servers_.removed, UnorderedElementsAre(ShardAt{chunks[2].servers[1], chunks[2].chunk, 1},
                                                     ShardAt{chunks[7].servers[1], chunks[7].chunk, 1}));
  EXPECT_EQ(sweep_->counts().removed, 2u);
  pass();
  EXPECT_EQ(servers_.removed.size(), 2u);
  EXPECT_EQ(sweep_->counts().passes, 3u);
}

TEST_F(ShardSweepTest, AShardOfAChunkThatIsMadeWhileTheListTravelsStays) {
  bool once = true;
  servers_.on_list = [&] {
    if (!std::exchange(once, false)) return;
    const ChunkInfo made = grant_chunks(*committer_, *cluster_, store_, next(), {kDefaultClass, 1, {}}).value().front();
    for (uint8_t shard = 0; shard < 3; ++shard) servers_.put(made.servers[shard], made.chunk, shard, 8192);
  };
  pass();
  EXPECT_FALSE(once);
  EXPECT_THAT(servers_.removed, IsEmpty());
  EXPECT_EQ(sweep_->trouble(), "");
}

TEST_F(ShardSweepTest, AnOldBackupOfTheMetadataStopsAllRemovals) {
  const ChunkInfo chunk = sealed_chunk();
  remove_chunk(chunk);
  const ServerId witness{3};
  servers_.put(ServerId{1}, chunk.chunk, 0, 8192);
  servers_.put(witness, ChunkId{raw(chunk.chunk) + 1000}, 0, 8192);
  pass();
  EXPECT_THAT(servers_.removed, IsEmpty()) << "not even what is below the next id";
  EXPECT_THAT(sweep_->trouble(), HasSubstr("older than the data"));
  servers_.failing.insert(witness);
  pass();
  EXPECT_THAT(servers_.removed, IsEmpty()) << "no answer is no proof that it is over";
  servers_.failing.clear();
  servers_.shards[witness].clear();
  pass();
  EXPECT_EQ(servers_.removed.size(), 1u);
  EXPECT_EQ(sweep_->trouble(), "");
}

TEST_F(ShardSweepTest, WhatIsLostIsCountedUntilItIsFoundAgainAndNoAnswerSaysNothing) {
  const ChunkInfo whole = sealed_chunk(), partial = sealed_chunk(false);
  const auto kept = servers_.shards[whole.servers[2]];
  servers_.failing = {whole.servers[2]};
  servers_.shards[whole.servers[2]].clear();
  pass();
  EXPECT_TRUE(sweep_->lost()->empty()) << "a server that does not answer has lost nothing";
  servers_.failing.clear();
  pass();
  const auto lost = sweep_->lost();
  ASSERT_EQ(lost->size(), 2u);
  EXPECT_EQ(lost->at(whole.chunk), 0b100u);
  EXPECT_EQ(sweep_->counts().lost, 2u);
  servers_.failing = {whole.servers[2]};
  pass();
  EXPECT_EQ(*sweep_->lost(), *lost) << "it stays lost";
  servers_.failing.clear();
  servers_.shards[whole.servers[2]] = kept;
  pass();
  EXPECT_TRUE(sweep_->lost()->empty());
  servers_.put(partial.servers[0], partial.chunk, 0, 4096);
  pass();
  EXPECT_EQ(sweep_->lost()->at(partial.chunk), 0b1u) << "cut short; an absent cell's shard may be empty";
  remove_chunk(partial);
  pass();
  EXPECT_TRUE(sweep_->lost()->empty());
}

}  // namespace
}  // namespace cairn
