// Repair over a real state machine, with chunkservers that answer as the test says.
#include "metaserver/servers/repairer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "metaserver/server_changes.h"
#include "metaserver/servers/janitor.h"
#include "tests/metaserver/servers_fixture.h"

namespace cairn {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class FakeServers : public ShardMaking, public ShardHousekeeping {
 public:
  Result<RebuildProgress> rebuild(const RebuildShard& request, Instant) override {
    requests.push_back(request);
    if (during) during(request);
    const auto it = failing.find(request.shard.server);
    if (it != failing.end()) return Error{it->second, "as the test says"};
    const auto some = static_cast<uint32_t>(std::min<size_t>(request.stripes.size(), at_most));
    return RebuildProgress{some, some == request.stripes.size() && request.last, 0, some, uint64_t{some} * 8192};
  }
  Status seal(const ShardRef&, uint64_t, Epoch, Instant) override { return {}; }
  Status punch(const ShardRef& shard, uint64_t place, uint64_t, Instant) override {
    punches.push_back(fmt::format("{} {}/{} {}", raw(shard.server), raw(shard.chunk), shard.shard, place));
    return {};
  }
  Status remove(const ShardRef& shard, Instant) override {
    removals.push_back({shard.server, shard.chunk, shard.shard});
    return {};
  }

  std::map<ServerId, Errc> failing;
  size_t at_most = 1000;
  std::function<void(const RebuildShard&)> during;
  std::vector<RebuildShard> requests;
  std::vector<std::string> punches;
  std::vector<StaleShard> removals;
};

class RepairerTest : public test::ServersFixture {
 protected:
  static constexpr uint32_t kServers = 5;
  RepairerTest() : ServersFixture(kServers) {
    Repairer::Options options;
    options.incarnation = kIncarnation;
    options.seed = 3;
    repairer_ = std::make_unique<Repairer>(
        clock_, *committer_, store_, *cluster_, servers_,
        Repairer::Sweep{.lost = [this] { return lost_; },
                        .found = [this](ChunkId chunk, uint8_t shard) { found_.emplace_back(raw(chunk), shard); }},
        options);
    janitor_ = std::make_unique<Janitor>(
        clock_, *committer_, store_, *cluster_, servers_,
        Janitor::Options{.quarantine = 10s, .incarnation = kIncarnation, .being_made = [this](const StaleShard& shard) {
                           return repairer_->making(shard);
                         }});
  }
  // A chunk with so many stripes of one file, sealed.
  ChunkInfo filled(uint64_t stripes = 1, bool sealed = true) {
    const ChunkInfo chunk = grant();
    file_in(chunk, 0, fmt::format("f{}", request_), stripes);
    if (sealed) change<std::monostate>(SealChunks{{chunk.chunk}});
    return row(chunk.chunk);
  }
  // So much time, in which these are silent.
  void pass(Duration time, std::set<uint32_t> silent = {}) {
    for (Duration passed{}; passed < time; passed += 1s) second(silent);
  }
  void lose(ServerId server) { pass(11min, {raw(server)}); }
  void scan() {
    const Status done = repairer_->scan();
    ASSERT_TRUE(done.ok()) << done.error().what;
  }
  uint32_t repair_all() {
    scan();
    uint32_t count = 0;
    while (repairer_->repair_next()) ++count;
    return count;
  }
  std::vector<StaleShard> stale(ServerId server) {
    std::vector<StaleShard> found;
    const auto rows = queries::stale_shards(*store_.view(), server, ChunkId{}, 100).value();
    for (const auto& record : rows) found.push_back(record.shard);
    return found;
  }

  FakeServers servers_;
  std::shared_ptr<const LostShards> lost_ = std::make_shared<LostShards>();
  std::vector<std::pair<uint64_t, int>> found_;
  std::unique_ptr<Repairer> repairer_;
  std::unique_ptr<Janitor> janitor_;
};

TEST_F(RepairerTest, AShardOfAServerThatIsDownIsMadeAgainElsewhere) {
  const ChunkInfo chunk = filled(3);
  lose(chunk.servers[1]);
  EXPECT_EQ(repair_all(), 1u);
  const ChunkInfo now = row(chunk.chunk);
  EXPECT_EQ(now.servers[0], chunk.servers[0]);
  EXPECT_EQ(now.servers[2], chunk.servers[2]);
  EXPECT_THAT(chunk.servers, Not(Contains(now.servers[1])));
  ASSERT_THAT(servers_.requests, SizeIs(1));
  const RebuildShard& request = servers_.requests[0];
  EXPECT_EQ(request.shard.server, now.servers[1]);
  EXPECT_EQ(request.servers, chunk.servers);
  EXPECT_THAT(request.stripes, SizeIs(3));
  EXPECT_TRUE(request.last);
  EXPECT_FALSE(request.copy);
  EXPECT_EQ(request.lost, 0b10u);
  EXPECT_EQ(request.committed, chunk.committed);
  EXPECT_THAT(stale(chunk.servers[1]), ElementsAre(StaleShard{chunk.servers[1], chunk.chunk, 1}));
  EXPECT_EQ(repair_all(), 0u);
  EXPECT_EQ(repairer_->status().eta_seconds, 0);
}

TEST_F(RepairerTest, AServerThatReturnsBeforeItsTurnIsNotRepaired) {
  const ChunkInfo chunk = filled();
  lose(chunk.servers[0]);
  scan();
  EXPECT_EQ(repairer_->status().shards_waiting, 1u);
  report(raw(chunk.servers[0]));
  while (repairer_->repair_next()) {
  }
  EXPECT_EQ(row(chunk.chunk).servers, chunk.servers);
  EXPECT_THAT(servers_.requests, IsEmpty());
  EXPECT_EQ(repairer_->status().shards_waiting, 0u);
}

TEST_F(RepairerTest, TheCallsOfOneShardFollowEachOther) {
  const ChunkInfo chunk = filled(7);
  lose(chunk.servers[2]);
  servers_.at_most = 3;
  EXPECT_EQ(repair_all(), 1u);
  ASSERT_THAT(servers_.requests, SizeIs(3));
  EXPECT_EQ(servers_.requests[0].from, 0u);
  EXPECT_EQ(servers_.requests[1].from, 3 * 8192u);
  EXPECT_EQ(servers_.requests[2].from, 6 * 8192u);
  EXPECT_THAT(servers_.requests[2].stripes, SizeIs(1));
  EXPECT_EQ(servers_.requests[2].attempt, servers_.requests[0].attempt);
}

TEST_F(RepairerTest, AServerThatRemembersNothingIsBegunWithAnew) {
  const ChunkInfo chunk = filled(7);
  lose(chunk.servers[2]);
  servers_.at_most = 3;
  servers_.during = [&](const RebuildShard& request) {
    servers_.failing.clear();
    if (servers_.requests.size() == 2) servers_.failing[request.shard.server] = Errc::not_found;
  };
  EXPECT_EQ(repair_all(), 1u);
  ASSERT_THAT(servers_.requests, SizeIs(5));
  EXPECT_EQ(servers_.requests[2].from, 0u);
  EXPECT_NE(servers_.requests[2].attempt, servers_.requests[1].attempt);
  EXPECT_NE(row(chunk.chunk).servers, chunk.servers);
}

TEST_F(RepairerTest, WhatFailsIsTriedLaterOnAnotherServerAndHoldsNothingUp) {
  const ChunkInfo one = filled(2);
  lose(one.servers[0]);
  ServerId first{};
  servers_.during = [&](const RebuildShard& request) {
    if (first == ServerId{}) servers_.failing[first = request.shard.server] = Errc::timed_out;
  };
  EXPECT_EQ(repair_all(), 1u);
  EXPECT_EQ(row(one.chunk).servers, one.servers);
  EXPECT_THAT(repairer_->status().waiting_why, HasSubstr("tried again"));
  EXPECT_FALSE(repairer_->repair_next()) << "not at once";
  clock_.advance(3s);
  EXPECT_TRUE(repairer_->repair_next());
  EXPECT_NE(row(one.chunk).servers[0], one.servers[0]);
  EXPECT_NE(row(one.chunk).servers[0], first);
  EXPECT_THAT(stale(first), ElementsAre(StaleShard{first, one.chunk, 0})) << "what it may have made is removed";
}

TEST_F(RepairerTest, AMoveThatComesTooLateChangesNothing) {
  const ChunkInfo chunk = filled();
  lose(chunk.servers[0]);
  servers_.during = [&](const RebuildShard& request) {
    // Somebody else was faster.
    ServerId other{};
    for (uint32_t i = 1; i <= kServers; ++i) {
      const ServerId server{i};
      if (server != request.shard.server && std::ranges::find(chunk.servers, server) == chunk.servers.end())
        other = server;
    }
    ASSERT_TRUE(committer_->propose(PlanShards{{{other, chunk.chunk, 0}}}).ok());
    ASSERT_TRUE(committer_->propose(MoveShards{{{chunk.chunk, 0, chunk.servers[0], other}}}).ok());
  };
  EXPECT_EQ(repair_all(), 1u);
  const ServerId made = servers_.requests[0].shard.server;
  EXPECT_NE(row(chunk.chunk).servers[0], made);
  EXPECT_THAT(stale(made), ElementsAre(StaleShard{made, chunk.chunk, 0}));
}

TEST_F(RepairerTest, WithoutAFreeFailureDomainItWaitsAndSaysSo) {
  const ChunkInfo chunk = filled();
  for (uint32_t i = 1; i <= kServers; ++i) {
    if (std::ranges::find(chunk.servers, ServerId{i}) == chunk.servers.end())
      report(i, std::to_string(raw(chunk.servers[0])));  // moved into the host of shard 0
  }
  const auto pass_silent = [&](Duration time) {
    for (Duration passed{}; passed < time; passed += 1s) {
      clock_.advance(1s);
      for (uint32_t i = 1; i <= kServers; ++i) {
        const bool of_chunk = std::ranges::find(chunk.servers, ServerId{i}) != chunk.servers.end();
        if (ServerId{i} != chunk.servers[1])
          report(i, of_chunk ? std::to_string(i) : std::to_string(raw(chunk.servers[0])));
      }
      cluster_->tick();
    }
  };
  pass_silent(11min);
  repair_all();
  EXPECT_EQ(row(chunk.chunk).servers, chunk.servers) << "never two shards in one failure domain";
  EXPECT_THAT(repairer_->status().waiting_why, HasSubstr("failure domain"));
  EXPECT_EQ(repairer_->status().shards_waiting, 1u);
  EXPECT_EQ(repairer_->status().eta_seconds, -1);
  for (uint32_t i = 1; i <= kServers; ++i) {
    if (ServerId{i} != chunk.servers[1]) report(i);
  }
  EXPECT_EQ(repair_all(), 1u) << "somebody has come";
  EXPECT_EQ(repairer_->status().waiting_why, "");
}

TEST_F(RepairerTest, ALostShardIsMadeAgainWhereItWasAndAfterTwoFailuresElsewhere) {
  const ChunkInfo chunk = filled();
  lost_ = std::make_shared<LostShards>(LostShards{{chunk.chunk, 0b100}});
  const ServerId where = chunk.servers[2];
  servers_.failing[where] = Errc::io;
  EXPECT_EQ(repair_all(), 1u);
  clock_.advance(10s);
  report(raw(where));
  for (uint32_t i = 1; i <= kServers; ++i) report(i);
  EXPECT_TRUE(repairer_->repair_next());
  ASSERT_THAT(servers_.requests, SizeIs(2));
  EXPECT_EQ(servers_.requests[1].shard.server, where);
  clock_.advance(20s);
  for (uint32_t i = 1; i <= kServers; ++i) report(i);
  EXPECT_TRUE(repairer_->repair_next());
  EXPECT_NE(row(chunk.chunk).servers[2], where);

  const ChunkInfo other = filled();
  servers_.failing.clear();
  lost_ = std::make_shared<LostShards>(LostShards{{other.chunk, 0b1}});
  EXPECT_EQ(repair_all(), 1u);
  EXPECT_EQ(row(other.chunk).servers, other.servers);
  EXPECT_THAT(found_, ElementsAre(std::pair(raw(other.chunk), 0)));
}

TEST_F(RepairerTest, ADrainingServerIsEmptiedByCopiesAndGetsNothingNew) {
  std::vector<ChunkInfo> chunks;
  for (int i = 0; i < 6; ++i) chunks.push_back(filled());
  const ChunkInfo open = filled(1, false);
  const ServerId drained = open.servers[0];
  ASSERT_TRUE(cluster_->set_state(drained, ServerState::draining).ok());
  EXPECT_EQ(cluster_->health()[drained], Health::draining);
  scan();
  EXPECT_TRUE(row(open.chunk).sealed) << "its owner goes on in another chunk";
  EXPECT_GT(repair_all(), 0u);
  for (const RebuildShard& request : servers_.requests) EXPECT_TRUE(request.copy);
  for (const ChunkInfo& chunk : chunks) EXPECT_THAT(row(chunk.chunk).servers, Not(Contains(drained)));
  EXPECT_THAT(row(open.chunk).servers, Not(Contains(drained)));
  for (int i = 0; i < 5; ++i) EXPECT_THAT(filled().servers, Not(Contains(drained)));
}

TEST_F(RepairerTest, WhatAMoveLeavesBehindIsRemovedAfterItsQuarantine) {
  const ChunkInfo chunk = filled();
  ASSERT_TRUE(cluster_->set_state(chunk.servers[0], ServerState::draining).ok());
  ASSERT_EQ(repair_all(), 1u);
  const auto rounds = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      pass(1s);
      ASSERT_TRUE(janitor_->round().ok());
    }
  };
  rounds(8);
  EXPECT_THAT(servers_.removals, IsEmpty()) << "a layout may still name it";
  rounds(8);
  EXPECT_THAT(servers_.removals, ElementsAre(StaleShard{chunk.servers[0], chunk.chunk, 0}));
  EXPECT_THAT(stale(chunk.servers[0]), IsEmpty());
  rounds(3);
  EXPECT_THAT(servers_.removals, SizeIs(1));
}

TEST_F(RepairerTest, WhatIsBeingMadeIsNotRemovedHoweverLongItTakes) {
  const ChunkInfo chunk = filled();
  ASSERT_TRUE(cluster_->set_state(chunk.servers[0], ServerState::draining).ok());
  servers_.during = [&](const RebuildShard&) {
    for (int i = 0; i < 30; ++i) {
      pass(1s);
      ASSERT_TRUE(janitor_->round().ok());
    }
  };
  ASSERT_EQ(repair_all(), 1u);
  EXPECT_THAT(servers_.removals, IsEmpty());
  EXPECT_THAT(row(chunk.chunk).servers, Not(Contains(chunk.servers[0])));
}

TEST_F(RepairerTest, ARemovedServerIsWaitedForNoMore) {
  const ChunkInfo chunk = filled();
  const ServerId gone = chunk.servers[0];
  lose(gone);
  ASSERT_TRUE(cluster_->set_state(gone, ServerState::removed).ok());
  const auto back = cluster_->heartbeat({.uuid = std::to_string(raw(gone)), .address = {"h", 1}, .labels = {}});
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.code(), Errc::not_permitted);
  EXPECT_EQ(repair_all(), 1u);
  EXPECT_THAT(stale(gone), IsEmpty());
  EXPECT_THAT(cluster_->servers(), SizeIs(kServers - 1));
}

}  // namespace
}  // namespace cairn
