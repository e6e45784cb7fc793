// What clients and chunkservers may make a metaserver keep, each bound against somebody who asks for more.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "common/base/thread.h"
#include "common/rpc/meta_client.h"
#include "metaserver/log/recovery.h"
#include "metaserver/metaserver.h"
#include "metaserver/servers/chunk_grants.h"
#include "metaserver/sessions/event_queue.h"
#include "metaserver/store/memory_store.h"
#include "tests/metaserver/temp_directory.h"

namespace cairn {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

MakeNode file(const std::string& name) {
  return {.parent = kRootInode, .name = name, .mode = S_IFREG | 0644, .uid = 0, .gid = 0, .rdev = 0, .target = {}};
}

// While closed, nothing is written to the store: the commands of one batch wait, and those behind it.
class GatedStore : public OrderedStore {
 public:
  std::shared_ptr<const StoreView> view() const override { return inner_.view(); }
  Status flush() override { return inner_.flush(); }
  Status write(const std::vector<StoreWrite>& batch) override {
    {
      Lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !closed_; });
      --waiting_;
    }
    return inner_.write(batch);
  }
  void set_closed(bool closed) {
    Lock lock(mutex_);
    closed_ = closed;
    changed_.notify_all();
  }
  bool await_waiting() {
    Lock lock(mutex_);
    return changed_.wait_until(lock, real_clock().now() + 20s, [this] { return waiting_ > 0; });
  }

 private:
  MemoryStore inner_;
  Mutex mutex_;
  CondVar changed_;
  bool closed_ = false;  // guarded by mutex_
  int waiting_ = 0;      // guarded by mutex_
};

TEST(MetaserverBoundsTest, MoreCommandsThanMayWaitAreAnsweredBusyAtOnceAndTheOthersAreDone) {
  constexpr int kMayWait = 8, kMore = 20;
  TempDirectory directory;
  GatedStore store;
  auto log = CommandLog::open(real_disk(), {.directory = directory.path() + "/log"}).value();
  const Recovered recovered =
      recover(
          *log, store,
          {.incarnation = Incarnation{77},
           .default_class =
               {.id = kDefaultClass, .name = "default", .policy = {4, 2}, .cell_bytes = 4096, .failure_domain = "host"},
           .wall_ns = 1})
          .value();
  Committer committer(real_clock(), *log, store, recovered.applied, recovered.wall_ns,
                      {.limits = {.waiting_commands = kMayWait}});
  const auto session =
      committer.propose(OpenSession{{.name = "test", .host = "h", .pid = 1, .mount = false, .nonce = 1}});
  ASSERT_TRUE(session.ok());
  const auto propose = [&](uint64_t id) {
    const Mutation mutation{std::get<SessionId>(*session), RequestId{id}, RequestId{1}};
    return committer.propose(Command{mutation, 0, file(std::to_string(id))});
  };
  store.set_closed(true);
  std::atomic<int> done = 0, busy = 0, other = 0;
  std::vector<Thread> threads;
  threads.emplace_back("first", [&] { done += propose(1).ok() ? 1 : 0; });
  ASSERT_TRUE(store.await_waiting());
  for (uint64_t id = 2; id < 2 + kMayWait + kMore; ++id) {
    threads.emplace_back("client", [&, id] {
      const Outcome outcome = propose(id);
      ++(outcome.ok() ? done : outcome.code() == Errc::busy ? busy : other);
    });
  }
  const Instant until = real_clock().now() + 20s;
  while (busy < kMore && real_clock().now() < until) std::this_thread::yield();
  EXPECT_EQ(busy, kMore) << "they did not wait for the store";
  EXPECT_EQ(done, 0);
  store.set_closed(false);
  threads.clear();
  EXPECT_EQ(done, 1 + kMayWait);
  EXPECT_EQ(other, 0);
}

TEST(MetaserverBoundsTest, TheEventsOfASessionThatNeverAsksForThemDoNotPileUp) {
  EventQueue queue(1);
  for (uint64_t generation = 1; generation <= 1000; ++generation) {
    queue.push_recall({InodeId{0}, LeaseKind::exclusive, generation});
    queue.push_map_changed();
  }
  const auto pending = queue.pending();
  ASSERT_THAT(pending, SizeIs(2));
  EXPECT_EQ(pending[0].lease->generation, 1000u) << "the newest recall covers the older ones";
}

class BoundedServerTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.listen = {"127.0.0.1", 0};
    options_.log_directory = directory_.path() + "/log";
    options_.seed = 42;
    options_.most_sessions = 5;
    options_.most_servers = 6;
    server_ = std::make_unique<Metaserver>(real_network(), real_clock(), real_disk(), store_, options_);
    const Status started = server_->start();
    ASSERT_TRUE(started.ok()) << started.error().what;
  }
  std::unique_ptr<MetaClient> client(Duration patience = 20s) {
    return std::make_unique<MetaClient>(real_network(), real_clock(), server_->address(),
                                        MetaClient::Options{.call_timeout = patience});
  }
  static Result<SessionGrant> open(MetaClient& meta, uint64_t nonce) {
    return meta.open_session({.name = "test", .host = "here", .pid = 1, .mount = false, .nonce = nonce});
  }
  static Result<HeartbeatAnswer> heartbeat(MetaClient& meta, uint32_t number) {
    return meta.heartbeat({.uuid = fmt::format("uuid-{}", number),
                           .address = {"127.0.0.1", static_cast<uint16_t>(1000 + number)},
                           .boot = BootId{number},
                           .labels = {"site", "rack", fmt::format("host{}", number), ""},
                           .total_bytes = uint64_t{100} << 30,
                           .free_bytes = uint64_t{60} << 30,
                           .incarnation = {},
                           .shards = 0,
                           .bad_records = 0});
  }

  TempDirectory directory_;
  MetaserverOptions options_;
  MemoryStore store_;
  std::unique_ptr<Metaserver> server_;
};

TEST_F(BoundedServerTest, OneSessionTooManyIsRefusedWithTheLimitAndARetryIsNot) {
  std::vector<std::unique_ptr<MetaClient>> clients;
  for (uint64_t nonce = 1; nonce <= 5; ++nonce) {
    clients.push_back(client());
    ASSERT_TRUE(open(*clients.back(), nonce).ok());
  }
  const auto extra = client(300ms);
  const auto refused = open(*extra, 6);
  ASSERT_EQ(refused.code(), Errc::busy);
  EXPECT_THAT(refused.error().what, HasSubstr("5 sessions"));
  const auto again = open(*extra, 3);
  ASSERT_TRUE(again.ok()) << again.error().what;
  EXPECT_EQ(again->session, clients[2]->session());
  ASSERT_TRUE(clients[0]->close_session().ok());
  EXPECT_TRUE(open(*extra, 6).ok());
}

TEST_F(BoundedServerTest, SessionsThatAreOpenedAtOnceDoNotPassTheLimitTogether) {
  std::atomic<int> opened = 0, busy = 0;
  std::vector<Thread> threads;
  for (uint64_t nonce = 1; nonce <= 40; ++nonce) {
    threads.emplace_back("opener", [&, nonce] {
      const auto meta = client(200ms);
      const auto grant = open(*meta, nonce);
      ++(grant.ok() ? opened : busy);
    });
  }
  threads.clear();
  EXPECT_EQ(opened, 5);
  EXPECT_EQ(busy, 35);
}

TEST_F(BoundedServerTest, AnUnknownChunkserverTooManyIsNotRegisteredAndTheKnownOnesGoOn) {
  const auto meta = client();
  for (uint32_t number = 1; number <= 6; ++number) ASSERT_TRUE(heartbeat(*meta, number).ok());
  const auto refused = heartbeat(*meta, 7);
  ASSERT_EQ(refused.code(), Errc::busy);
  EXPECT_THAT(refused.error().what, HasSubstr("6 chunkservers"));
  EXPECT_TRUE(heartbeat(*meta, 6).ok());
  EXPECT_THAT(meta->cluster_map()->servers, SizeIs(6));
}

TEST_F(BoundedServerTest, ASessionThatSealsNothingGetsNoMoreChunks) {
  const auto meta = client(300ms);
  ASSERT_TRUE(open(*meta, 1).ok());
  for (uint32_t number = 1; number <= 6; ++number) ASSERT_TRUE(heartbeat(*meta, number).ok());
  std::vector<ChunkId> granted;
  Result<std::vector<ChunkInfo>> chunks = meta->grant_chunks({kDefaultClass, 64, {}});
  while (chunks.ok() && granted.size() < 2 * kMaxOpenChunks) {
    for (const ChunkInfo& chunk : *chunks) granted.push_back(chunk.chunk);
    chunks = meta->grant_chunks({kDefaultClass, 64, {}});
  }
  EXPECT_EQ(granted.size(), kMaxOpenChunks);
  ASSERT_EQ(chunks.code(), Errc::busy);
  EXPECT_THAT(chunks.error().what, HasSubstr("seal"));
  EXPECT_TRUE(client()->status().ok());
  ASSERT_TRUE(meta->seal_chunks({{granted[0]}}).ok());
  EXPECT_TRUE(meta->grant_chunks({kDefaultClass, 1, {}}).ok());
}

TEST_F(BoundedServerTest, AListThatIsAskedForWithoutEndComesInPages) {
  constexpr int kThreads = 16, kEach = 270;  // more than a page of 4096
  const auto meta = client();
  ASSERT_TRUE(open(*meta, 1).ok());
  std::vector<Thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back("maker", [&, t] {
      for (int i = 0; i < kEach; ++i) ASSERT_TRUE(meta->make_node(file(fmt::format("{}-{}", t, i))).ok());
    });
  }
  threads.clear();
  const auto page = meta->read_directory(kRootInode, 0, INT32_MAX);
  ASSERT_TRUE(page.ok()) << page.error().what;
  EXPECT_THAT(page->entries, SizeIs(4096));
  EXPECT_FALSE(page->complete);
  const auto rest = meta->read_directory(kRootInode, page->entries.back().cookie, UINT32_MAX);
  ASSERT_TRUE(rest.ok());
  EXPECT_THAT(rest->entries, SizeIs(kThreads * kEach - 4096));
}

}  // namespace
}  // namespace cairn
