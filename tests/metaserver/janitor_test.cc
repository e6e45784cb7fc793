// Housekeeping over a real state machine, with chunkservers that answer as the test says.
#include "metaserver/servers/janitor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "metaserver/state/job_queries.h"
#include "tests/metaserver/servers_fixture.h"

namespace cairn {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::SizeIs;

class FakeServers : public ShardHousekeeping {
 public:
  Status seal(const ShardRef& shard, uint64_t committed, Epoch fence, Instant) override {
    return asked("seal", shard, fmt::format("{} {}", committed, raw(fence)));
  }
  Status punch(const ShardRef& shard, uint64_t place, uint64_t length, Instant) override {
    return asked("punch", shard, fmt::format("{}+{}", place, length));
  }
  Status remove(const ShardRef& shard, Instant) override { return asked("remove", shard, ""); }

  std::map<ServerId, Errc> failing;
  std::vector<std::string> calls;  // "seal server chunk/shard details"

 private:
  Status asked(const char* what, const ShardRef& shard, const std::string& details) {
    calls.push_back(fmt::format("{} {} {}/{} {}", what, raw(shard.server), raw(shard.chunk), shard.shard, details));
    const auto it = failing.find(shard.server);
    return it == failing.end() ? Status{} : Status{it->second, "as the test says"};
  }
};

class JanitorTest : public test::ServersFixture {
 protected:
  JanitorTest() : ServersFixture(3) {
    janitor_ = std::make_unique<Janitor>(clock_, *committer_, store_, *cluster_, servers_,
                                         Janitor::Options{.quarantine = 10s, .incarnation = kIncarnation});
  }
  void remove(const std::string& name) {
    const Removed removed = change<Removed>(RemoveName{kRootInode, name, false});
    change<std::monostate>(ForgetOrphans{{removed.inode}});
  }
  void round() {
    servers_.calls.clear();
    const Status done = janitor_->round();
    ASSERT_TRUE(done.ok()) << done.error().what;
  }
  // Rounds at each second, with heartbeats, for so long.
  void pass(Duration time, std::set<uint32_t> silent = {}) {
    for (Duration passed{}; passed < time; passed += 1s) {
      second(silent);
      round();
    }
  }
  queries::Counters counters() { return queries::counters(*store_.view()).value(); }

  FakeServers servers_;
  std::unique_ptr<Janitor> janitor_;
};

TEST_F(JanitorTest, TellsEveryServerOfASealUntilEachHasConfirmed) {
  const ChunkInfo chunk = grant();
  file_in(chunk, 0, "a");
  change<std::monostate>(SealChunks{{chunk.chunk}});
  servers_.failing[ServerId{2}] = Errc::timed_out;
  round();
  EXPECT_THAT(servers_.calls, SizeIs(3));
  const size_t shard_of_one =
      static_cast<size_t>(std::find(chunk.servers.begin(), chunk.servers.end(), ServerId{1}) - chunk.servers.begin());
  EXPECT_THAT(servers_.calls, Contains(fmt::format("seal 1 {}/{} 8192 {}", raw(chunk.chunk), shard_of_one,
                                                   raw(chunk.writer_epoch) + 1)));
  EXPECT_THAT(*queries::pending_seals(*store_.view(), ChunkId{}, 10), SizeIs(1));
  round();
  EXPECT_THAT(servers_.calls, SizeIs(1)) << "only the one that did not answer";
  servers_.failing.clear();
  round();
  EXPECT_THAT(*queries::pending_seals(*store_.view(), ChunkId{}, 10), IsEmpty());
  round();
  EXPECT_THAT(servers_.calls, IsEmpty());
}

TEST_F(JanitorTest, PunchesDeadStripesAfterTheQuarantineNeighboursInOneCall) {
  const ChunkInfo chunk = grant();
  for (uint64_t i = 0; i < 4; ++i) file_in(chunk, i * 8192, fmt::format("f{}", i));
  pass(1s);
  remove("f1");
  remove("f2");
  pass(9s);
  EXPECT_EQ(counters().pending_punches, 2u);
  servers_.failing[ServerId{3}] = Errc::unavailable;
  for (int i = 0; i < 3 && servers_.calls.empty(); ++i) pass(1s);
  EXPECT_THAT(servers_.calls, SizeIs(3));
  EXPECT_THAT(servers_.calls, Contains(testing::EndsWith("8192+16384"))) << "both stripes";
  EXPECT_EQ(counters().pending_punches, 2u) << "server 3 did not confirm";
  servers_.failing.clear();
  pass(1s);
  EXPECT_EQ(counters().pending_punches, 0u);
}

TEST_F(JanitorTest, RemovesDeadChunksOnlyWhenEveryServerHasConfirmed) {
  const ChunkInfo chunk = grant();
  file_in(chunk, 0, "a");
  change<std::monostate>(SealChunks{{chunk.chunk}});
  pass(2s);
  remove("a");
  pass(5s);
  EXPECT_EQ(counters().chunks, 1u) << "in quarantine";
  pass(10s, {2});
  EXPECT_EQ(cluster_->health()[ServerId{2}], Health::suspect);
  EXPECT_EQ(counters().chunks, 1u) << "a server that is away has not confirmed";
  EXPECT_EQ(counters().garbage_chunks, 1u);
  EXPECT_THAT(*queries::condemned_chunks(*store_.view(), ChunkId{}, 10), SizeIs(1));
  servers_.failing[ServerId{2}] = Errc::not_found;  // it answers, and has no such shard
  pass(1s);
  EXPECT_EQ(counters().chunks, 0u);
  EXPECT_EQ(counters().garbage_chunks, 0u);
}

TEST_F(JanitorTest, AnErrorAnswerIsNoConfirmationAndHoldsUpNobodyElse) {
  std::vector<ChunkId> chunks;
  for (int i = 0; i < 3; ++i) {
    const ChunkInfo chunk = grant();
    file_in(chunk, 0, fmt::format("f{}", i));
    chunks.push_back(chunk.chunk);
  }
  change<std::monostate>(SealChunks{chunks});
  servers_.failing[ServerId{1}] = Errc::io;
  round();
  EXPECT_THAT(servers_.calls, SizeIs(9)) << "a bad shard does not stop the others of its server";
  EXPECT_THAT(*queries::pending_seals(*store_.view(), ChunkId{}, 10), SizeIs(3));
}

TEST_F(JanitorTest, WhatAJobHasPinnedStaysUntilTheJobIsOver) {
  const ChunkInfo chunk = grant(), other = grant();
  const InodeId inode = file_in(chunk, 0, "a");
  file_in(chunk, 8192, "stays");
  file_in(other, 0, "alone");
  const InodeId lone = queries::lookup(*store_.view(), kRootInode, "alone")->attributes.inode;
  change<std::monostate>(SealChunks{{other.chunk}});
  pass(2s);
  AdmitJob admit;
  admit.job.op = "wc";
  admit.job.inputs = 2;
  const JobId job = change<JobId>(admit);
  change<std::monostate>(AddJobInputs{job, 0, {{inode, "a"}, {lone, "alone"}}});
  ASSERT_TRUE(committer_->propose(PinInputs{job, 100, 100}).ok());
  remove("a");
  remove("alone");
  pass(60s);
  EXPECT_EQ(counters().pending_punches, 2u);
  EXPECT_EQ(counters().garbage_chunks, 1u);
  EXPECT_THAT(*queries::condemned_chunks(*store_.view(), ChunkId{}, 10), IsEmpty());
  const auto layout = queries::job_layout(*store_.view(), job, 0, 0, 8192, 10);
  ASSERT_TRUE(layout.ok());
  EXPECT_THAT(layout->extents, SizeIs(1));
  EXPECT_EQ(queries::job_layout(*store_.view(), job, 1, 0, 8192, 10)->chunks.front().chunk, other.chunk);
  change<std::monostate>(CancelJob{job});
  for (int i = 0; i < 30 && counters().chunks > 1; ++i) pass(1s);
  EXPECT_EQ(counters().pending_punches, 0u);
  EXPECT_EQ(counters().chunks, 1u);
}

TEST_F(JanitorTest, FreesTheExtentsOfDeletedFilesInSteps) {
  const ChunkInfo chunk = grant();
  const InodeId inode = file_in(chunk, 0, "a");
  (void)inode;
  remove("a");
  pass(2s);
  EXPECT_THAT(*queries::maps_to_release(*store_.view(), 10), IsEmpty());
  EXPECT_EQ(counters().live_bytes, 0u);
}

}  // namespace
}  // namespace cairn
