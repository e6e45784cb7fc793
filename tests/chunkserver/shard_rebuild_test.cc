// Shards that are made again on a server: call by call, in place of what is there, and over crashes.
#include "chunkserver/shard_rebuild.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/probes/kill_point.h"
#include "tests/chunkserver/support.h"
#include "tests/sim/sim_cluster.h"
#include "tests/stripe/stripe_fixture.h"

namespace cairn {
namespace {

// A chunk on six servers in memory, and the bytes of its shards.
class Chunk : public StripeFixture {
 public:
  Chunk() : StripeFixture({4, 2}) {
    for (int i = 0; i < 12; ++i) add(i % 3 == 2 ? 100 + random.below(20'000) : 4 * 8192);
    for (uint8_t shard = 0; shard < 6; ++shard) before.push_back(shards.bytes(chunk.chunk, shard));
  }
  void add(size_t bytes) {
    const WrittenStripe one = written(bytes);
    stripes.push_back({one.placed.place, one.placed.shape});
    committed = one.placed.place + one.placed.shape.stride();
  }
  // The call for stripes [from, from + count) of shard 1.
  RebuildShard call(size_t from, size_t count, uint64_t attempt = 1) const {
    RebuildShard request{.shard = {ServerId{9}, chunk.incarnation, chunk.chunk, 1}, .attempt = attempt};
    request.code = chunk.code;
    request.servers = chunk.servers;
    request.committed = committed;
    request.from = from == 0 ? 0 : stripes[from - 1].place + stripes[from - 1].shape.stride();
    const auto begin = stripes.begin() + static_cast<ptrdiff_t>(from);
    request.stripes = {begin, begin + static_cast<ptrdiff_t>(std::min(count, stripes.size() - from))};
    request.last = from + count >= stripes.size();
    request.at_most = 5s;
    return request;
  }
  ShardKey key() const { return {chunk.chunk, 1}; }

  std::vector<StripeAt> stripes;
  uint64_t committed = 0;
  std::vector<std::vector<uint8_t>> before;
};

std::vector<uint8_t> bytes_of(File& file) {
  const auto size = file.size();
  EXPECT_TRUE(size.ok());
  std::vector<uint8_t> bytes(size.ok() ? *size : 0);
  const auto read = file.read_at(0, bytes);
  EXPECT_TRUE(read.ok() && *read == bytes.size());
  return bytes;
}

class ShardRebuildTest : public ::testing::Test {
 protected:
  ShardRebuildTest() : store_(test::open_store(real_disk(), directory_.path())) { open(); }
  void open() {
    rebuilds_ = std::make_unique<ShardRebuilds>(real_disk(), chunk_.clock, *store_, chunk_.shards, directory_.path(),
                                                ShardRebuilds::Options{});
    EXPECT_TRUE(rebuilds_->open().ok());
  }
  std::vector<uint8_t> shard() {
    const auto file = store_->file(chunk_.key());
    EXPECT_TRUE(file.ok()) << file.error().what;
    return file.ok() ? bytes_of(**file) : std::vector<uint8_t>();
  }
  size_t staged() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory_.path() + "/rebuild"), {}));
  }
  RebuildProgress must(const RebuildShard& request) {
    const auto progress = rebuilds_->work(request);
    EXPECT_TRUE(progress.ok()) << progress.error().what;
    return progress.ok() ? *progress : RebuildProgress{};
  }

  test::TemporaryDirectory directory_;
  Chunk chunk_;
  std::unique_ptr<ShardStore> store_;
  std::unique_ptr<ShardRebuilds> rebuilds_;
};

TEST_F(ShardRebuildTest, AShardIsMadeInManyCallsAndIsNobodysUntilTheLast) {
  for (size_t from = 0; from < 12; from += 5) {
    EXPECT_EQ(store_->file(chunk_.key()).code(), Errc::not_found);
    const RebuildProgress progress = must(chunk_.call(from, 5));
    EXPECT_EQ(progress.stripes, std::min<size_t>(5, 12 - from));
    EXPECT_EQ(progress.done, from == 10);
    EXPECT_EQ(progress.copied, 0u);
  }
  EXPECT_EQ(shard(), chunk_.before[1]);
  const auto listed = store_->list(ChunkId{}, 10);
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->rows.size(), 1u);
  EXPECT_EQ(listed->rows[0].status.state, ShardState::sealed);
  EXPECT_EQ(listed->rows[0].status.committed, chunk_.committed);
  EXPECT_EQ(staged(), 0u);
  EXPECT_TRUE(store_->seal(chunk_.key(), chunk_.committed, Epoch{9}).ok()) << "as the metaserver may say once more";
}

TEST_F(ShardRebuildTest, WhatIsStillOnItsOldServerIsCopied) {
  RebuildShard request = chunk_.call(0, 12);
  request.copy = true;
  const RebuildProgress progress = must(request);
  EXPECT_TRUE(progress.done);
  EXPECT_GT(progress.copied, 0u);
  EXPECT_EQ(progress.decoded, 0u);
  EXPECT_EQ(shard(), chunk_.before[1]);
}

TEST_F(ShardRebuildTest, ACallThatDoesNotFollowTheOneBeforeIsRefusedAndAnotherAttemptBeginsAnew) {
  must(chunk_.call(0, 5));
  EXPECT_EQ(rebuilds_->work(chunk_.call(6, 3)).code(), Errc::not_found) << "a stripe is left out";
  EXPECT_EQ(rebuilds_->work(chunk_.call(5, 3, 2)).code(), Errc::not_found) << "another attempt";
  must(chunk_.call(5, 3));
  EXPECT_EQ(rebuilds_->work(chunk_.call(5, 3)).code(), Errc::not_found) << "a late repetition";
  EXPECT_TRUE(must(chunk_.call(0, 12, 3)).done);
  EXPECT_EQ(shard(), chunk_.before[1]);
  EXPECT_EQ(rebuilds_->work(chunk_.call(8, 4)).code(), Errc::not_found);
}

TEST_F(ShardRebuildTest, WhatIsNotGoneOnWithIsForgottenAfterAMinute) {
  must(chunk_.call(0, 5));
  EXPECT_EQ(staged(), 1u);
  chunk_.clock.advance_to(chunk_.clock.now() + 61s);
  EXPECT_EQ(rebuilds_->work(chunk_.call(5, 3)).code(), Errc::not_found);
  EXPECT_EQ(staged(), 0u);
}

TEST_F(ShardRebuildTest, AnotherProcessRemovesWhatItFindsAndBeginsAnew) {
  must(chunk_.call(0, 5));
  open();
  EXPECT_EQ(staged(), 0u);
  EXPECT_EQ(rebuilds_->work(chunk_.call(5, 3)).code(), Errc::not_found);
}

TEST_F(ShardRebuildTest, ADamagedShardIsReplacedAndItsOldReadersAreNotDisturbed) {
  std::vector<uint8_t> bytes = chunk_.before[1];
  bytes[5000] ^= 1;
  ASSERT_TRUE(must(chunk_.call(0, 12)).done);
  const auto path = directory_.path() + "/shards/2a/" +
                    file_name({.key = chunk_.key(), .state = ShardState::sealed, .committed = chunk_.committed});
  ASSERT_TRUE(std::filesystem::exists(path));
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const auto reader = store_->file(chunk_.key());
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(bytes_of(**reader), bytes);
  chunk_.shards.kill(ServerId{2});
  ASSERT_TRUE(must(chunk_.call(0, 12, 2)).done);
  EXPECT_EQ(bytes_of(**reader), bytes) << "a read that is under way";
  EXPECT_EQ(shard(), chunk_.before[1]);
}

TEST_F(ShardRebuildTest, AnUnsealedShardIsReplacedAndTakesNoMoreAppends) {
  const auto record = test::make_record(chunk_.key(), 0);
  ASSERT_TRUE(store_->append(chunk_.key(), 0, Epoch{1}, record, true).ok());
  ASSERT_TRUE(must(chunk_.call(0, 12)).done);
  EXPECT_EQ(shard(), chunk_.before[1]);
  EXPECT_EQ(store_->append(chunk_.key(), 1u << 20, Epoch{9}, record, true).code(), Errc::stale_epoch);
  EXPECT_EQ(test::shard_files(directory_.path()).size(), 1u) << "the open file is gone";
  store_ = test::open_store(real_disk(), directory_.path());
  EXPECT_EQ(shard(), chunk_.before[1]);
}

TEST_F(ShardRebuildTest, AShardThatIsSealedAtAnotherLengthIsLeftAlone) {
  ASSERT_TRUE(store_->seal(chunk_.key(), 4096, Epoch{1}).ok());
  EXPECT_EQ(rebuilds_->work(chunk_.call(0, 12)).code(), Errc::invalid);
  EXPECT_EQ(staged(), 0u);
}

TEST_F(ShardRebuildTest, WithTooFewGoodShardsNothingIsLeft) {
  for (uint32_t server : {1, 3, 4}) chunk_.shards.kill(ServerId{server});
  EXPECT_EQ(rebuilds_->work(chunk_.call(0, 12)).code(), Errc::io);
  EXPECT_EQ(staged(), 0u);
  EXPECT_EQ(store_->file(chunk_.key()).code(), Errc::not_found);
}

// The process dies at a point, with or without its machine; what is there afterwards is the whole shard or none of it,
// and it is the whole one if that was answered.
struct Crash {
  KillPoint point;
  SimCluster::Death death;
};

void crash_and_go_on(Crash crash, uint64_t seed) {
  SCOPED_TRACE(std::string(info_of(crash.point).name) + " seed " + std::to_string(seed));
  Chunk chunk;
  SimCluster cluster(seed);
  bool answered = false, found = false, whole = true;
  uint32_t starts = 0;
  cluster.start("server", [&](SimMachine& machine) {
    ShardStore store(machine.disk, machine.clock, "/data", {});
    ASSERT_TRUE(machine.disk.make_directories("/data").ok());
    ASSERT_TRUE(store.open().ok());
    ShardRebuilds rebuilds(machine.disk, machine.clock, store, chunk.shards, "/data", {});
    ASSERT_TRUE(rebuilds.open().ok());
    ++starts;
    const auto file = store.file(chunk.key());
    found = file.ok();
    if (found) whole = bytes_of(**file) == chunk.before[1];
    const auto progress = rebuilds.work(chunk.call(0, 12, starts));
    ASSERT_TRUE(progress.ok()) << progress.error().what;
    EXPECT_TRUE(progress->done);
    answered = true;
    const auto now = store.file(chunk.key());
    ASSERT_TRUE(now.ok());
    EXPECT_EQ(bytes_of(**now), chunk.before[1]);
  });
  const auto wait_for_end = [&] {
    const Instant deadline = cluster.scheduler().now() + 60s;
    while (cluster.running("server") && cluster.scheduler().now() < deadline) cluster.scheduler().sleep(10ms);
    EXPECT_FALSE(cluster.running("server"));
  };
  set_kill_point_handler([&](KillPoint point) {
    if (point == crash.point && starts == 1) cluster.die_here(crash.death);
  });
  const Status end = cluster.run([&] {
    wait_for_end();
    EXPECT_FALSE(answered);
    cluster.restart("server");
    wait_for_end();
    EXPECT_TRUE(whole);
    EXPECT_TRUE(answered);
    if (crash.point != KillPoint::shard_adopted) {
      EXPECT_FALSE(found);
    }
    cluster.power_cut("server");
    cluster.restart("server");
    wait_for_end();
    EXPECT_TRUE(found) << "it was answered, so it is durable";
    EXPECT_TRUE(whole);
  });
  set_kill_point_handler({});
  EXPECT_TRUE(end.ok()) << end.error().what;
}

TEST(ShardRebuildCrashTest, AfterACrashThereIsTheWholeShardOrNone) {
  for (const KillPoint point : {KillPoint::shard_staged, KillPoint::shard_staged_synced, KillPoint::shard_adopted}) {
    for (const auto death : {SimCluster::Death::killed, SimCluster::Death::power_cut}) {
      for (uint64_t seed = 1; seed <= 8; ++seed) crash_and_go_on({point, death}, seed);
    }
  }
}

}  // namespace
}  // namespace cairn
