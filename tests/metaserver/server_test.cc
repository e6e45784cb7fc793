// A whole metaserver in this process, over loopback, with its real log and RocksDB; clients and heartbeats are real
// calls.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>

#include "common/base/random.h"
#include "common/base/thread.h"
#include "tests/metaserver/metaserver_fixture.h"

namespace cairn {
namespace {

using testing::SizeIs;

MakeNode node(InodeId parent, const std::string& name, uint32_t mode = S_IFREG | 0644) {
  return {.parent = parent, .name = name, .mode = mode, .uid = 0, .gid = 0, .rdev = 0, .target = {}};
}

using ServerTest = test::MetaserverFixture;

TEST_F(ServerTest, ServesTheNamespace) {
  const auto meta = client();
  const auto dir = meta->make_node(node(kRootInode, "dir", S_IFDIR | 0755));
  ASSERT_TRUE(dir.ok()) << dir.error().what;
  const InodeId parent = dir->attributes.inode;
  const auto made = meta->make_node(node(parent, "file"));
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(meta->make_node(node(parent, "file")).code(), Errc::exists);
  EXPECT_EQ(meta->lookup(parent, "file")->attributes.inode, made->attributes.inode);
  EXPECT_EQ(meta->lookup(parent, "none").code(), Errc::not_found);
  EXPECT_TRUE(meta->link({made->attributes.inode, kRootInode, "second"}).ok());
  EXPECT_EQ(meta->get_attributes(made->attributes.inode)->links, 2u);
  const auto renamed = meta->rename({parent, "file", kRootInode, "moved", 0});
  ASSERT_TRUE(renamed.ok()) << renamed.error().what;
  EXPECT_TRUE(meta->set_xattr({made->attributes.inode, "user.colour", "blue", 0}).ok());
  EXPECT_EQ(*meta->get_xattr(made->attributes.inode, "user.colour"), "blue");
  EXPECT_THAT(*meta->list_xattrs(made->attributes.inode), SizeIs(1));
  SetAttributes chmod;
  chmod.inode = made->attributes.inode;
  chmod.mode = 0600;
  EXPECT_EQ(meta->set_attributes(chmod)->mode, S_IFREG | 0600u);
  EXPECT_THAT(meta->read_directory(kRootInode, 0, 100)->entries, SizeIs(3));
  EXPECT_EQ(meta->remove({kRootInode, "dir", true})->links_left, 0u);
  EXPECT_EQ(meta->remove({kRootInode, "moved", false})->links_left, 1u);
  EXPECT_TRUE(meta->close_session().ok());
  EXPECT_EQ(meta->make_node(node(kRootInode, "late")).code(), Errc::no_session);
}

TEST_F(ServerTest, EverythingAcknowledgedSurvivesCrashesAndRetriesHappenOnce) {
  constexpr int kClients = 4;
  std::atomic<bool> enough = false;
  std::atomic<uint64_t> acknowledged = 0;
  std::vector<std::set<std::string>> made(kClients);
  std::vector<Thread> threads;
  for (int c = 0; c < kClients; ++c) {
    std::shared_ptr<MetaClient> meta = client();
    threads.emplace_back("client", [&, c, meta] {
      for (int i = 0; !enough; ++i) {
        const std::string name = fmt::format("c{}-{}", c, i);
        // A repetition after a crash must not find its own first try: that would be `exists`.
        const auto entry = meta->make_node(node(kRootInode, name));
        ASSERT_TRUE(entry.ok()) << name << ": " << entry.error().what;
        made[c].insert(name);
        if (i % 5 == 4) {
          const auto removed = meta->remove({kRootInode, name, false});
          ASSERT_TRUE(removed.ok()) << name << ": " << removed.error().what;
          made[c].erase(name);
        }
        ++acknowledged;
      }
    });
  }
  Random random(7);
  for (int crashes = 0; crashes < 5; ++crashes) {
    const uint64_t until = acknowledged + random.between(30, 300);
    while (acknowledged < until) std::this_thread::yield();
    crash();
    start();
  }
  enough = true;
  threads.clear();
  crash();
  start();
  const auto meta = client();
  std::set<std::string> expected, found;
  for (const auto& names : made) expected.insert(names.begin(), names.end());
  for (uint64_t after = 0;;) {
    const auto entries = meta->read_directory(kRootInode, after, 1000);
    ASSERT_TRUE(entries.ok());
    for (const Entry& entry : entries->entries) found.insert(entry.name);
    if (entries->complete) break;
    after = entries->entries.back().cookie;
  }
  EXPECT_EQ(found, expected);
}

TEST_F(ServerTest, GrantsCommitsAndSealsChunks) {
  const auto meta = client(true);
  EXPECT_EQ(meta->grant_chunks({kDefaultClass, 1, {}}).code(), Errc::no_space) << "nobody can take shards";
  heartbeats(*meta, 6);
  EXPECT_EQ(meta->cluster_map()->servers.size(), 6u);
  const auto space = meta->statfs();
  ASSERT_TRUE(space.ok());
  EXPECT_EQ(space->total_bytes, (uint64_t{600} << 30) / 6 * 4);

  const auto chunks = meta->grant_chunks({kDefaultClass, 2, {}});
  ASSERT_TRUE(chunks.ok()) << chunks.error().what;
  ASSERT_THAT(*chunks, SizeIs(2));
  const ChunkInfo chunk = chunks->front();
  EXPECT_EQ(chunk.code, (Code{4, 2}));
  EXPECT_EQ(chunk.shard_limit, 16u << 20);
  EXPECT_EQ(std::set<ServerId>(chunk.servers.begin(), chunk.servers.end()).size(), 6u);

  const auto file = meta->make_node(node(kRootInode, "data"));
  const StripeShape shape{chunk.code, 4096, 4096, 0xf};
  Commit commit;
  commit.files.push_back(
      {.inode = file->attributes.inode,
       .extents = {{.offset = 0, .length = 16384, .chunk = chunk.chunk, .place = 0, .position = 0, .shape = shape}},
       .size_at_least = 16384,
       .mtime = {5, 6},
       .inline_data = {}});
  commit.chunks.push_back({chunk.chunk, chunk.writer_epoch, 0, shape.stride()});
  const auto committed = meta->commit(commit);
  ASSERT_TRUE(committed.ok()) << committed.error().what;
  EXPECT_EQ(committed->files[0].size, 16384u);
  const auto layout = meta->layout(file->attributes.inode, 0, 1 << 20, 100);
  ASSERT_TRUE(layout.ok());
  EXPECT_THAT(layout->extents, SizeIs(1));
  EXPECT_THAT(layout->chunks, SizeIs(1));
  EXPECT_EQ(meta->commit(commit).code(), Errc::stale_epoch) << "another request that begins where the chunk is no more";

  auto status = meta->status();
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->open_chunks, 2u);
  EXPECT_EQ(status->missing_shards, 0u);
  EXPECT_EQ(status->survivable_losses, 2);
  EXPECT_EQ(status->sessions[0].open_chunks, 2u);

  ASSERT_TRUE(meta->seal_chunks({{chunk.chunk}}).ok());
  crash();
  start();
  status = meta->status(true);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->open_chunks, 1u);
  EXPECT_EQ(status->missing_shards, 12u) << "after a restart nobody was heard yet: that is not redundant";
  EXPECT_EQ(status->survivable_losses, -1);
  EXPECT_EQ(status->servers[0].health, Health::unknown);
  EXPECT_EQ(status->servers[0].silent_ms, -1);
  EXPECT_FALSE(status->state_hash.empty());
  EXPECT_EQ(meta->grant_chunks({kDefaultClass, 1, {}}).code(), Errc::no_space) << "unknown servers are not used";
  heartbeats(*meta, 4);
  status = meta->status();
  EXPECT_EQ(status->missing_shards, 4u);
  EXPECT_EQ(status->unreadable_chunks, 0u);
  EXPECT_EQ(status->survivable_losses, 0);
  EXPECT_EQ(meta->grant_chunks({kDefaultClass, 1, {}})->front().code, (Code{2, 2})) << "k is given up, m is not";
}

TEST_F(ServerTest, AForeignChunkserverIsRefused) {
  const auto meta = client();
  Heartbeat foreign = report(1);
  foreign.incarnation = Incarnation{12345};
  EXPECT_EQ(meta->heartbeat(foreign).code(), Errc::invalid);
  EXPECT_TRUE(meta->cluster_map()->servers.empty());
}

TEST_F(ServerTest, ASecondMountWaitsUntilTheSoleOneHasGivenTheTreeBack) {
  MetaClient first(real_network(), real_clock(), address_);
  const auto grant = first.open_session({.name = "mount /a", .host = "h", .pid = 1, .mount = true, .nonce = 1});
  ASSERT_TRUE(grant.ok());
  EXPECT_TRUE(grant->sole);
  EXPECT_TRUE(client(false)->status().ok()) << "tools take no part in this";

  std::atomic<bool> admitted = false;
  std::unique_ptr<MetaClient> second;
  Thread opening("second", [&] {
    second = std::make_unique<MetaClient>(real_network(), real_clock(), address_);
    const auto other = second->open_session({.name = "mount /b", .host = "h", .pid = 2, .mount = true, .nonce = 2});
    ASSERT_TRUE(other.ok()) << other.error().what;
    EXPECT_FALSE(other->sole);
    admitted = true;
  });
  const auto events = first.events(0, 10s);
  ASSERT_TRUE(events.ok()) << events.error().what;
  ASSERT_THAT(events->events, SizeIs(1));
  EXPECT_EQ(events->events.front().type, EventType::recall);
  EXPECT_EQ(raw(events->events.front().lease->inode), 0u);
  EXPECT_FALSE(admitted);
  EXPECT_THAT(first.events(events->events.front().sequence, 0s)->events, SizeIs(0));
  opening.join();
  EXPECT_TRUE(admitted);
  EXPECT_THAT(*first.acquire_leases({{InodeId{0}, LeaseKind::exclusive, 0}}), SizeIs(0));
  EXPECT_TRUE(second->close_session().ok());
  EXPECT_THAT(*first.acquire_leases({{InodeId{0}, LeaseKind::exclusive, 0}}), SizeIs(1))
      << "one is left, and is promoted back";
}

TEST_F(ServerTest, AMountThatDiedIsExpiredAndTheNextOneIsSole) {
  crash();
  options_.session_ttl = 400ms;
  start();
  const auto dead = client(true);
  ASSERT_TRUE(dead->make_node(node(kRootInode, "before")).ok());
  MetaClient next(real_network(), real_clock(), address_);
  const auto grant = next.open_session({.name = "mount /b", .host = "h", .pid = 2, .mount = true, .nonce = 2});
  ASSERT_TRUE(grant.ok()) << grant.error().what;
  EXPECT_TRUE(grant->sole);
  EXPECT_EQ(dead->make_node(node(kRootInode, "after")).code(), Errc::no_session);
  EXPECT_EQ(dead->lookup(kRootInode, "before").code(), Errc::no_session)
      << "what it would be told could not be recalled";
  EXPECT_TRUE(next.lookup(kRootInode, "before").ok());
}

TEST_F(ServerTest, ALoggedSessionHasAFullTtlAfterARestart) {
  crash();
  options_.session_ttl = 5s;
  start();
  const auto meta = client(true);
  crash();
  start();
  EXPECT_TRUE(meta->renew_session().ok());
  EXPECT_TRUE(meta->make_node(node(kRootInode, "x")).ok());
}

TEST_F(ServerTest, ACleanStopFlushesAndTrims) {
  const auto meta = client();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(meta->make_node(node(kRootInode, std::to_string(i))).ok());
  const std::string hash = meta->status(true)->state_hash;
  ASSERT_TRUE(server_->stop().ok());
  crash();
  start();
  EXPECT_EQ(meta->status(true)->state_hash, hash);
}

}  // namespace
}  // namespace cairn
