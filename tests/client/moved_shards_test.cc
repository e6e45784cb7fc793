// Files whose shards move to other servers under a mount that has cached where they were.
#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "common/probes/rare_path.h"
#include "common/rpc/meta_client.h"
#include "tests/client/cluster_fixture.h"

namespace cairn {
namespace {

using testing::Contains;
using testing::Not;

using test::must;

class MovedShardsTest : public testing::Test {
 protected:
  // So many chunkservers that each shard of a chunk can move twice.
  MovedShardsTest() : cluster_({.chunkservers = 7, .policy = {2, 1}, .cell_bytes = 64 << 10, .quarantine = 1s}) {
    FilesystemOptions options;
    options.cache_bytes = 0;  // each read asks the servers
    mount_ = cluster_.mount(options);
    admin_ = std::make_unique<MetaClient>(real_network(), real_clock(), cluster_.metaserver());
    inode_ = must(mount_->create(test::file_node("a"))).entry.attributes.inode;
    data_ = test::pattern(1, 3 << 20);
    must(mount_->write(inode_, 0, data_));
    must(mount_->sync(inode_));
  }
  template <typename Done>
  void wait_until(const std::string& what, const Done& done) {
    const Instant deadline = real_clock().now() + 60s;
    while (!done()) {
      ASSERT_LT(real_clock().now(), deadline) << what;
      std::this_thread::sleep_for(20ms);  // between two looks at a condition with a deadline
    }
  }
  std::vector<ChunkInfo> chunks() { return must(admin_->list_chunks({}, 100)); }
  // Moves everything that the server holds, and waits until nothing of it is left there.
  void drain(ServerId server) {
    must(admin_->change_server({.server = server, .state = ServerState::draining}));
    wait_until("a server is empty", [&] {
      const auto all = chunks();
      return std::ranges::none_of(
          all, [&](const ChunkInfo& chunk) { return std::ranges::find(chunk.servers, server) != chunk.servers.end(); });
    });
    wait_until("what has moved is removed", [&] { return cluster_.shards_of(raw(server) - 1) == 0; });
  }
  static uint64_t counted(RarePath path) { return rare_path_counts()[static_cast<size_t>(path)]; }

  test::Cluster cluster_;
  std::unique_ptr<Filesystem> mount_;
  std::unique_ptr<MetaClient> admin_;
  InodeId inode_{};
  std::vector<uint8_t> data_;
};

TEST_F(MovedShardsTest, MoreMovesThanTheCodeCanLoseAreFollowed) {
  EXPECT_EQ(test::read_all(*mount_, inode_), data_);
  const std::vector<ServerId> first = chunks().front().servers;
  for (const ServerId server : first) drain(server);
  for (const ServerId server : first) EXPECT_THAT(chunks().front().servers, Not(Contains(server)));
  EXPECT_EQ(test::read_all(*mount_, inode_), data_) << "three of three shards have moved, one may be lost";
  const uint64_t before = counted(RarePath::degraded_read);
  EXPECT_EQ(test::read_all(*mount_, inode_), data_);
  EXPECT_EQ(counted(RarePath::degraded_read), before) << "known from now on";
}

TEST_F(MovedShardsTest, OneMovedShardIsLookedForOnceAndNotDecodedForEver) {
  EXPECT_EQ(test::read_all(*mount_, inode_), data_);
  drain(chunks().front().servers[0]);
  EXPECT_EQ(test::read_all(*mount_, inode_), data_);
  const uint64_t before = counted(RarePath::degraded_read);
  EXPECT_EQ(test::read_all(*mount_, inode_), data_);
  EXPECT_EQ(counted(RarePath::degraded_read), before);
}

}  // namespace
}  // namespace cairn
