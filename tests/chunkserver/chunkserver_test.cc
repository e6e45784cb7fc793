// The whole chunkserver over loopback: with the client library's calls, with a metaserver's heartbeats, and with
// garbage.
#include "chunkserver/chunkserver.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "Metaserver.h"
#include "common/base/network.h"
#include "common/base/random.h"
#include "common/rpc/chunk_client.h"
#include "common/rpc/wire.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

using test::make_record;

constexpr ServerId kServer{1};
constexpr Epoch kEpoch{4};

class ChunkserverTest : public ::testing::Test {
 protected:
  ChunkserverTest()
      : client_(real_network(), real_clock(), [this](ServerId, bool) { return Result<Address>(server_->address()); }) {
    start(1);
    EXPECT_TRUE(server_->identity().adopt(test::kIncarnation, kServer).ok());
  }

  void start(uint64_t seed) {
    ChunkserverOptions options;
    options.data = directory_.path() + "/data";
    server_ = std::make_unique<Chunkserver>(real_network(), real_clock(), real_disk(), options, seed);
    Status started = server_->start();
    ASSERT_TRUE(started.ok()) << started.error().what;
  }
  ShardRef shard(uint64_t chunk) const { return {kServer, test::kIncarnation, ChunkId{chunk}, 2}; }
  static Instant soon() { return real_clock().now() + 30s; }

  ShardCalls::Completion append(const ShardRef& ref, uint64_t place, std::span<const uint8_t> record,
                                bool sync = false) {
    auto calls = client_.calls();
    iovec piece{const_cast<uint8_t*>(record.data()), record.size()};
    calls->append(1, {ref, place, kEpoch, sync}, {&piece, 1}, soon());
    return finish(*calls);
  }
  ShardCalls::Completion sync(const ShardRef& ref, BootId boot, uint64_t end) {
    auto calls = client_.calls();
    calls->sync(1, {ref, boot, end}, soon());
    return finish(*calls);
  }
  ShardCalls::Completion read(const ReadCall& call, std::span<uint8_t> header, std::span<uint8_t> cell) {
    auto calls = client_.calls();
    calls->read(1, call, header, cell, soon());
    return finish(*calls);
  }
  static ShardCalls::Completion finish(ShardCalls& calls) {
    auto done = calls.wait(soon());
    EXPECT_TRUE(done.has_value());
    return done.value_or(ShardCalls::Completion{});
  }

  test::TemporaryDirectory directory_;
  std::unique_ptr<Chunkserver> server_;
  ChunkClient client_;
};

TEST_F(ChunkserverTest, AppendsSyncsReadsSealsListsAndRemoves) {
  ShardRef ref = shard(77);
  ShardKey key{ref.chunk, ref.shard};
  auto record = make_record(key, 0);
  auto appended = append(ref, 0, record);
  ASSERT_TRUE(appended.status.ok()) << appended.status.error().what;
  EXPECT_EQ(appended.end, record.size());
  EXPECT_EQ(appended.boot, server_->boot());
  EXPECT_TRUE(sync(ref, appended.boot, appended.end).status.ok());

  std::vector<uint8_t> header(4096), cell(65536);
  ASSERT_TRUE(read({ref, 0, 4096, 0, 65536}, header, cell).status.ok());
  EXPECT_TRUE(std::equal(header.begin(), header.end(), record.begin()));
  EXPECT_TRUE(std::equal(cell.begin(), cell.end(), record.begin() + 4096));
  std::vector<uint8_t> part(8192);
  ASSERT_TRUE(read({ref, 0, 4096, 16384, 8192}, header, part).status.ok());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), record.begin() + 4096 + 16384));
  ASSERT_TRUE(read({ref, 0, 0, 4096 + 8192, 8192}, {}, part).status.ok())
      << "without a header the offset counts from the place";
  EXPECT_TRUE(std::equal(part.begin(), part.end(), record.begin() + 4096 + 8192));
  ASSERT_TRUE(read({ref, 1u << 20, 4096, 0, 8192}, header, part).status.ok()) << "beyond the end there are zeros";
  EXPECT_EQ(header, std::vector<uint8_t>(4096));
  EXPECT_EQ(part, std::vector<uint8_t>(8192));

  EXPECT_TRUE(client_.punch(ref, 0, record.size(), soon()).ok());
  EXPECT_TRUE(client_.seal(ref, record.size(), kEpoch, soon()).ok());
  EXPECT_EQ(append(ref, record.size(), make_record(key, record.size())).status.code(), Errc::stale_epoch);
  auto listed = client_.list_shards(kServer, test::kIncarnation, ChunkId{}, 100, soon());
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_TRUE(listed->front().sealed);
  EXPECT_EQ(listed->front().committed, record.size());
  EXPECT_TRUE(client_.remove(ref, soon()).ok());
  EXPECT_TRUE(client_.remove(ref, soon()).ok());
  EXPECT_EQ(read({ref, 0, 4096, 0, 4096}, header, std::span(part).first(4096)).status.code(), Errc::not_found);
}

TEST_F(ChunkserverTest, ManyCallsAreUnderWayAtOnceAndTheLargestRecordPasses) {
  test::RecordShape largest{.cell_bytes = kMaxCellBytes, .data_bytes = kMaxCellBytes, .owners = 512};
  auto calls = client_.calls();
  std::vector<std::vector<uint8_t>> records;
  for (uint32_t i = 0; i < 8; ++i) {
    ShardRef ref = shard(100 + i);
    records.push_back(make_record({ref.chunk, ref.shard}, 0, largest, i));
  }
  for (uint32_t i = 0; i < 8; ++i) {
    iovec piece{records[i].data(), records[i].size()};
    calls->append(i, {shard(100 + i), 0, kEpoch, true}, {&piece, 1}, soon());
  }
  for (uint32_t i = 0; i < 8; ++i) {
    auto done = finish(*calls);
    EXPECT_TRUE(done.status.ok()) << done.status.error().what;
  }
}

TEST_F(ChunkserverTest, ARefusedAppendLeavesTheConnectionUsable) {
  ShardRef ref = shard(5);
  ShardKey key{ref.chunk, ref.shard};
  auto good = make_record(key, 0), misplaced = make_record(key, 65536), garbage = std::vector<uint8_t>(8192, 0x41);
  auto calls = client_.calls();
  struct Try {
    std::span<const uint8_t> record;
    AppendCall call;
    std::optional<Errc> expected;
  };
  ShardRef other_cluster = ref;
  other_cluster.incarnation = Incarnation{9};
  std::vector<Try> tries = {{garbage, {ref, 0, kEpoch, false}, Errc::invalid},
                            {misplaced, {ref, 0, kEpoch, false}, Errc::invalid},
                            {good, {other_cluster, 0, kEpoch, false}, Errc::stale_epoch},
                            {std::span(good).first(8192), {ref, 0, kEpoch, false}, Errc::invalid},
                            {good, {ref, 0, kEpoch, false}, std::nullopt}};
  for (uint32_t i = 0; i < tries.size(); ++i) {
    iovec piece{const_cast<uint8_t*>(tries[i].record.data()), tries[i].record.size()};
    calls->append(i, tries[i].call, {&piece, 1}, soon());
  }
  for (uint32_t i = 0; i < tries.size(); ++i) {
    auto done = finish(*calls);
    EXPECT_EQ(done.tag, i);
    EXPECT_EQ(done.status.ok(), !tries[i].expected) << i;
    if (tries[i].expected && !done.status.ok()) {
      EXPECT_EQ(done.status.code(), *tries[i].expected) << done.status.error().what;
    }
  }
  EXPECT_EQ(server_->store().shards(), 1u);
}

TEST_F(ChunkserverTest, ACallForAnotherServerIsRefusedBeforeAnythingHappens) {
  ShardRef ref = shard(5);
  ref.server = ServerId{2};
  auto done = append(ref, 0, make_record({ref.chunk, ref.shard}, 0));
  EXPECT_FALSE(done.status.ok());
  EXPECT_EQ(server_->store().shards(), 0u);
}

TEST_F(ChunkserverTest, AnotherBootRefusesASyncAndKeepsWhatWasSynced) {
  ShardRef ref = shard(5);
  auto record = make_record({ref.chunk, ref.shard}, 0);
  auto appended = append(ref, 0, record, true);
  ASSERT_TRUE(appended.status.ok());
  server_.reset();
  start(2);
  EXPECT_NE(server_->boot(), appended.boot);
  EXPECT_EQ(sync(ref, appended.boot, appended.end).status.code(), Errc::stale_boot);
  std::vector<uint8_t> header(4096), cell(65536);
  ASSERT_TRUE(read({ref, 0, 4096, 0, 65536}, header, cell).status.ok());
  EXPECT_TRUE(std::equal(cell.begin(), cell.end(), record.begin() + 4096));
  auto again = append(ref, 0, record, true);
  EXPECT_TRUE(again.status.ok()) << "a repetition to the new boot";
  EXPECT_EQ(again.boot, server_->boot());
}

TEST_F(ChunkserverTest, TellsHowItIs) {
  auto status = client_.status(kServer, soon());
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->boot, server_->boot());
  EXPECT_EQ(status->uuid, server_->identity().get().uuid);
  EXPECT_GT(status->total_bytes, 0u);
  EXPECT_EQ(server_->ailment(), "");
  ASSERT_TRUE(server_->stop().ok());
  EXPECT_NE(server_->ailment(), "");
}

TEST_F(ChunkserverTest, GarbageOnAConnectionHarmsOnlyThatConnection) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    auto stream = real_network().connect(server_->address(), soon());
    ASSERT_TRUE(stream.ok());
    std::vector<uint8_t> bytes(4 + seed * 37 % 500);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(mix64(seed * 1000 + i));
    if (seed % 2 == 0) {  // a frame of the right length with garbage in it
      uint32_t length = static_cast<uint32_t>(bytes.size() - 4);
      for (int i = 0; i < 4; ++i) bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(length >> (24 - 8 * i));
    }
    iovec piece{bytes.data(), bytes.size()};
    (void)(*stream)->write_all({&piece, 1}, soon());  // the server may have closed already
    (*stream)->shut_down();
  }
  ShardRef ref = shard(5);
  EXPECT_TRUE(append(ref, 0, make_record({ref.chunk, ref.shard}, 0)).status.ok());
}

// A metaserver that knows only heartbeats.
class HeartbeatOnly : public thrift::MetaserverNull {
 public:
  HeartbeatOnly(Mutex& mutex, std::vector<Heartbeat>& beats) : mutex_(mutex), beats_(beats) {}
  void heartbeat(thrift::HeartbeatReply& reply, const thrift::HeartbeatRequest& request) override {
    auto beat = from_wire(request);
    if (!beat.ok()) return answer(reply, beat.error());
    Lock lock(mutex_);
    beats_.push_back(*beat);
    fill_reply(reply, HeartbeatAnswer{ServerId{42}, test::kIncarnation, Epoch{1}, 50ms});
  }

 private:
  Mutex& mutex_;
  std::vector<Heartbeat>& beats_;
};

TEST(ChunkserverHeartbeatTest, RegistersWithAMetaserverThatComesLate) {
  test::TemporaryDirectory directory;
  Mutex mutex;
  std::vector<Heartbeat> beats;
  auto start_metaserver = [&](const Address& at) {
    auto metaserver = std::make_unique<RpcServer>(
        real_network(), real_clock(),
        [&](CallTails&) -> std::shared_ptr<apache::thrift::TProcessor> {
          return std::make_shared<thrift::MetaserverProcessor>(std::make_shared<HeartbeatOnly>(mutex, beats));
        },
        RpcServer::Limits{});
    Status started = metaserver->start(at);
    EXPECT_TRUE(started.ok()) << started.error().what;
    return metaserver;
  };
  ChunkserverOptions options;
  options.data = directory.path();
  options.metaserver =
      start_metaserver({"127.0.0.1", 0})->address();  // gone at once: its port is free, and nobody answers
  options.advertise = Address{"storage.example", 0};
  options.labels = {"site", "rack", "host", "0"};

  Chunkserver server(real_network(), real_clock(), real_disk(), options, 3);
  ASSERT_TRUE(server.start().ok());
  EXPECT_NE(server.ailment(), "");
  auto late = start_metaserver(*options.metaserver);
  ASSERT_TRUE(server.wait_until_registered(real_clock().now() + 60s));
  EXPECT_EQ(server.identity().get().server, ServerId{42});
  EXPECT_EQ(server.ailment(), "");
  {
    Lock lock(mutex);
    const Heartbeat& first = beats.front();
    EXPECT_EQ(first.address, (Address{"storage.example", server.address().port}));
    EXPECT_EQ(first.boot, server.boot());
    EXPECT_EQ(first.labels, options.labels);
    EXPECT_EQ(first.incarnation, Incarnation{});
    EXPECT_GT(first.total_bytes, 0u);
  }
  EXPECT_TRUE(server.stop().ok());
}

}  // namespace
}  // namespace cairn
