// A metaserver's state with a log, and chunkservers that exist as heartbeats only: for what works on chunks and
// servers.
//
// The clock is the test's. Chunks are ec(2,1) with cells of 4 KiB, one shard per host. One thread.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <memory>
#include <set>
#include <string>

#include "metaserver/log/recovery.h"
#include "metaserver/servers/chunk_grants.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/store/memory_store.h"
#include "tests/metaserver/temp_directory.h"
#include "tests/stripe/manual_clock.h"

namespace cairn::test {

class ServersFixture : public testing::Test {
 protected:
  static constexpr Incarnation kIncarnation{77};

  explicit ServersFixture(uint32_t servers) : servers_reporting_(servers) {
    log_ = CommandLog::open(real_disk(), {.directory = directory_.path()}).value();
    const Recovered recovered = recover(*log_, store_,
                                        {.incarnation = kIncarnation,
                                         .default_class = {.id = kDefaultClass,
                                                           .name = "default",
                                                           .policy = {2, 1},
                                                           .cell_bytes = 4096,
                                                           .failure_domain = "host"},
                                         .wall_ns = 1})
                                    .value();
    committer_ =
        std::make_unique<Committer>(clock_, *log_, store_, recovered.applied, recovered.wall_ns, Committer::Options{});
    cluster_ = std::make_unique<Cluster>(clock_, *committer_, store_,
                                         Cluster::Options{.incarnation = kIncarnation, .seed = 1});
    for (uint32_t i = 1; i <= servers; ++i) report(i);
    session_ = std::get<SessionId>(
        *committer_->propose(OpenSession{{.name = "t", .host = "h", .pid = 1, .mount = true, .nonce = 1}}));
  }
  // A heartbeat. Without a host it has one of its own.
  void report(uint32_t number, const std::string& host = {}) {
    const auto answer = cluster_->heartbeat({.uuid = std::to_string(number),
                                             .address = {"h", static_cast<uint16_t>(number)},
                                             .boot = BootId{1},
                                             .labels = {"", "", host.empty() ? std::to_string(number) : host, ""},
                                             .total_bytes = uint64_t{1} << 40,
                                             .free_bytes = uint64_t{1} << 39,
                                             .incarnation = {},
                                             .shards = 0,
                                             .bad_records = 0});
    ASSERT_TRUE(answer.ok()) << answer.error().what;
  }

  // A second, in which these are silent.
  void second(const std::set<uint32_t>& silent = {}) {
    clock_.advance(1s);
    for (uint32_t i = 1; i <= servers_reporting_; ++i) {
      if (!silent.contains(i)) report(i);
    }
    cluster_->tick();
  }

  // Changes of a mount, and of the metaserver itself.
  Mutation next() {
    ++request_;
    return {session_, RequestId{request_}, RequestId{request_}};
  }
  template <typename Own>
  Own change(CommandBody body) {
    Outcome outcome = committer_->propose(Command{next(), 0, std::move(body)});
    EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().what);
    return std::get<Own>(std::move(*outcome));
  }
  void own(CommandBody body) { EXPECT_TRUE(committer_->propose(std::move(body)).ok()); }

  ChunkInfo grant() {
    return grant_chunks(*committer_, *cluster_, store_, next(), {kDefaultClass, 1, {}}).value().front();
  }
  // A file with so many stripes at the chunk's place, each with these data cells, which are full.
  InodeId file_in(const ChunkInfo& chunk, uint64_t place, const std::string& name, uint64_t stripes = 1,
                  uint32_t present = 0x3) {
    const InodeId inode = change<Entry>(MakeNode{kRootInode, name, S_IFREG | 0644, 0, 0, 0, ""}).attributes.inode;
    const StripeShape shape{chunk.code, 4096, 4096, present};
    const uint64_t length = stripes * 4096 * static_cast<uint64_t>(std::popcount(present));
    Commit commit;
    commit.files.push_back({inode, {{0, length, chunk.chunk, place, 0, shape}}, length, {1, 0}, {}});
    commit.chunks.push_back({chunk.chunk, chunk.writer_epoch, place, place + stripes * shape.stride()});
    change<Committed>(commit);
    return inode;
  }
  ChunkInfo row(ChunkId chunk) { return queries::chunk(*store_.view(), chunk).value(); }

  const uint32_t servers_reporting_;
  TempDirectory directory_;
  ManualClock clock_;
  MemoryStore store_;
  std::unique_ptr<CommandLog> log_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Cluster> cluster_;
  SessionId session_{};
  uint64_t request_ = 0;
};

}  // namespace cairn::test
