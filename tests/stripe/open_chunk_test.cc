#include <gmock/gmock.h>

#include "common/base/thread.h"
#include "tests/stripe/stripe_fixture.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

TEST(OpenChunkTest, ALoneSmallWriteCostsOneDataCellAndMParityCells) {
  StripeFixture f({4, 2}, 4096);
  std::vector<WrittenStripe> one;
  one.push_back(f.make(100, 2));
  ASSERT_TRUE(f.write(one, true).ok());
  EXPECT_EQ(f.shards.counts().appends, 3u);
  EXPECT_EQ(f.shards.counts().bytes_appended, 3 * 8192u);
  EXPECT_EQ(f.shards.counts().syncs, 0u);  // the appends themselves were synced
  EXPECT_EQ(one[0].placed.shape.present, 0b0100u);
  EXPECT_FALSE(f.shards.exists(f.chunk.chunk, 0));
  EXPECT_TRUE(f.shards.exists(f.chunk.chunk, 2));
  EXPECT_TRUE(f.read(one[0]).status.ok());
}

TEST(OpenChunkTest, AShortLastCellEndsAtItsLastBlock) {
  StripeFixture f({2, 1}, 16384);
  const auto stripe = f.written(16384 + 4097);
  EXPECT_EQ(f.shards.bytes(f.chunk.chunk, 0).size(), 4096 + 16384u);
  EXPECT_EQ(f.shards.bytes(f.chunk.chunk, 1).size(), 4096 + 8192u);
  EXPECT_EQ(f.shards.bytes(f.chunk.chunk, 2).size(), 4096 + 16384u);
  const auto next = f.written(2 * 16384);
  EXPECT_EQ(next.placed.place, 4096 + 16384u);
  EXPECT_TRUE(f.read(stripe).status.ok());
  EXPECT_TRUE(f.read(next).status.ok());
}

TEST(OpenChunkTest, EveryRecordSaysWhatItIsAndListsAllOwners) {
  StripeFixture f({3, 2}, 8192);
  std::vector<WrittenStripe> one;
  one.push_back(f.make(20000));
  one[0].stripe.owners = {{InodeId{4}, 1, 0, 0, 9000}, {InodeId{5}, 2, 777, 9000, 11000}};
  ASSERT_TRUE(f.write(one).ok());
  for (uint8_t shard = 0; shard < 5; ++shard) {
    const auto header = decode_header(f.shards.bytes(f.chunk.chunk, shard));
    ASSERT_TRUE(header.ok()) << header.error().what;
    EXPECT_EQ(header->shard, shard);
    EXPECT_EQ(header->owners, one[0].stripe.owners);
    EXPECT_EQ(header->writer_epoch, Epoch{5});
    EXPECT_EQ(header->data_bytes, shard == 2 ? 20000 - 16384u : 8192u);
  }
}

TEST(OpenChunkTest, SyncAsksOnlyTheShardsThatHoldSomethingUnsynced) {
  StripeFixture f({4, 2}, 4096);
  const auto first = f.written(100, 1);
  ASSERT_TRUE(f.open.sync(f.open.end()).ok());
  EXPECT_EQ(f.shards.counts().syncs, 3u);
  ASSERT_TRUE(f.open.sync(f.open.end()).ok());
  EXPECT_EQ(f.shards.counts().syncs, 3u);
  const auto second = f.written(100, 3);
  ASSERT_TRUE(f.open.sync(second.placed.place).ok());  // nothing new before it
  EXPECT_EQ(f.shards.counts().syncs, 3u);
  ASSERT_TRUE(f.open.sync(f.open.end()).ok());
  EXPECT_EQ(f.shards.syncs_of(ServerId{4}), 1u);
  EXPECT_EQ(f.shards.syncs_of(ServerId{2}), 1u);
  EXPECT_EQ(f.shards.syncs_of(ServerId{5}), 2u);
}

TEST(OpenChunkTest, ASyncedAppendAlsoSyncsWhatEarlierOnesLeft) {
  StripeFixture f({4, 2}, 4096);
  const auto first = f.written(100, 0);
  std::vector<WrittenStripe> next;
  next.push_back(f.make(100, 1));
  next.push_back(f.make(100, 2));
  ASSERT_TRUE(f.write(next, true).ok());
  EXPECT_EQ(f.shards.counts().syncs, 1u);  // shard 0 alone; the others were synced by their last appends
  for (uint32_t server = 1; server <= 6; ++server) f.shards.restart(ServerId{server}, true);
  for (const WrittenStripe* stripe : std::initializer_list<const WrittenStripe*>{&first, &next[0], &next[1]}) {
    const auto outcome = f.read(*stripe);
    EXPECT_TRUE(outcome.status.ok());
    EXPECT_TRUE(outcome.troubles.empty());
  }
}

TEST(OpenChunkTest, ARestartBetweenAppendAndSyncBreaksTheChunk) {
  StripeFixture f({4, 2});
  (void)f.written(4 * 8192);
  f.shards.restart(ServerId{3}, true);
  const Status status = f.open.sync(f.open.end());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Errc::stale_boot);
  EXPECT_TRUE(f.open.broken());
  EXPECT_FALSE(f.open.has_room());
  EXPECT_THAT(f.open.failed_servers(), ElementsAre(ServerId{3}));
  EXPECT_FALSE(f.open.sync(f.open.end()).ok());
  std::vector<WrittenStripe> more;
  more.push_back(f.make(10));
  EXPECT_FALSE(f.write(more).ok());
}

TEST(OpenChunkTest, AFailedSyncBreaksTheChunk) {
  StripeFixture f({2, 1});
  (void)f.written(100);
  f.shards.fail_syncs(ServerId{3});
  EXPECT_EQ(f.open.sync(f.open.end()).code(), Errc::io);
  EXPECT_THAT(f.open.failed_servers(), ElementsAre(ServerId{3}));
}

TEST(OpenChunkTest, AllServersThatFailAreNamedSoThatTheNextChunkAvoidsThem) {
  StripeFixture f({4, 2});
  f.shards.kill(ServerId{2});
  f.shards.kill(ServerId{5});
  std::vector<WrittenStripe> one;
  one.push_back(f.make(4 * 8192));
  const Status status = f.write(one);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Errc::unavailable);
  EXPECT_THAT(status.error().what, HasSubstr("chunk 42: shard 1 on server 2: "));
  EXPECT_THAT(f.open.failed_servers(), UnorderedElementsAre(ServerId{2}, ServerId{5}));
}

TEST(OpenChunkTest, ASilentServerBreaksTheChunkAfterTheTimeout) {
  StripeFixture f({4, 2});
  f.shards.delay(ServerId{6}, 1h);
  const Instant before = f.clock.now();
  std::vector<WrittenStripe> one;
  one.push_back(f.make(4 * 8192));
  EXPECT_EQ(f.write(one).code(), Errc::timed_out);
  EXPECT_GE(f.clock.now() - before, 10s);
  EXPECT_THAT(f.open.failed_servers(), ElementsAre(ServerId{6}));
}

TEST(OpenChunkTest, StripesThatDoNotFitAreRefusedWithoutHarm) {
  StripeFixture f({2, 1});
  ChunkInfo small = f.chunk;
  small.chunk = ChunkId{99};
  small.shard_limit = 20000;  // two strides of 12288
  OpenChunk open(small, f.shards, f.clock, 1s);
  std::vector<StripeData> stripes;
  const auto data = f.make(16384);
  for (int i = 0; i < 3; ++i) stripes.push_back(data.stripe);
  EXPECT_EQ(open.fitting(stripes), 2u);
  EXPECT_EQ(open.append(stripes, false).code(), Errc::invalid);
  EXPECT_FALSE(open.broken());
  stripes.pop_back();
  EXPECT_TRUE(open.append(stripes, false).ok());
  EXPECT_FALSE(open.has_room());
  EXPECT_EQ(open.fitting(stripes), 0u);
}

TEST(OpenChunkTest, MalformedStripesAreRefusedWithoutHarm) {
  StripeFixture f({2, 1});
  const auto refused = [&](auto change) {
    auto stripe = f.make(16384);
    change(stripe.stripe);
    const auto result = f.open.append({&stripe.stripe, 1}, false);
    return !result.ok() && result.code() == Errc::invalid && !f.open.broken();
  };
  EXPECT_TRUE(refused([](StripeData& s) { s.pieces.clear(); }));
  EXPECT_TRUE(refused([](StripeData& s) { s.pieces.push_back(s.pieces[0]); }));
  EXPECT_TRUE(refused([](StripeData& s) { s.first_cell = 1; }));
  EXPECT_TRUE(refused([](StripeData& s) { s.cell_bytes = 1000; }));
  EXPECT_TRUE(refused([](StripeData& s) { s.owners.resize(kMaxOwners + 1); }));
  EXPECT_TRUE(refused([](StripeData& s) { s.owners[0].length = 16385; }));
  EXPECT_EQ(f.shards.counts().appends, 0u);
}

TEST(OpenChunkTest, ServersThatDieAtAnyMomentOfAnAppendBreakItAndWhatWasWrittenStaysReadable) {
  // 7 stripes of 6 records: dies before each of the 42 calls, one server or two.
  for (uint64_t call = 0; call < 42; ++call) {
    for (const uint32_t other : {0u, 1u, 5u}) {
      StripeFixture f({4, 2}, 8192, call);
      const auto before = f.written(4 * 8192);
      const uint32_t victim = static_cast<uint32_t>(call % 6) + 1;
      std::vector<ServerId> victims{ServerId{victim}};
      if (other != 0) victims.push_back(ServerId{(victim + other - 1) % 6 + 1});
      f.shards.kill_after(call, victims);
      std::vector<WrittenStripe> stripes;
      for (int i = 0; i < 7; ++i) stripes.push_back(f.make(4 * 8192));
      const Status status = f.write(stripes);
      ASSERT_FALSE(status.ok());
      ASSERT_TRUE(f.open.broken());
      for (const ServerId failed : f.open.failed_servers()) ASSERT_THAT(victims, testing::Contains(failed));
      ASSERT_TRUE(f.read(before).status.ok());
      // The same buffers go to another chunk on servers that live.
      ChunkInfo info = make_chunk({3, 1}, 8192, 100);
      info.servers.clear();
      for (uint32_t server = 1; server <= 6 && info.servers.size() < 4; ++server) {
        if (std::ranges::find(victims, ServerId{server}) == victims.end()) info.servers.push_back(ServerId{server});
      }
      OpenChunk elsewhere(info, f.shards, f.clock, 1s);
      std::vector<iovec> pieces{{stripes[0].data.data(), 3 * 8192}};
      const StripeData again{8192, 0, pieces, {}};
      ASSERT_TRUE(elsewhere.append({&again, 1}, true).ok());
    }
  }
}

TEST(OpenChunkTest, ServersThatDieAtAnyMomentOfAReadAreReadAround) {
  for (uint32_t call = 0; call < 30; ++call) {
    StripeFixture f({4, 2}, 8192, call);
    std::vector<WrittenStripe> stripes;
    std::vector<uint8_t> all;
    for (int i = 0; i < 7; ++i) {
      stripes.push_back(f.make(4 * 8192));
      all.insert(all.end(), stripes.back().data.begin(), stripes.back().data.end());
    }
    ASSERT_TRUE(f.write(stripes).ok());
    f.shards.kill_after(call, {ServerId{call % 6 + 1}, ServerId{(call + 1 + call / 6) % 6 + 1}});
    std::vector<uint8_t> out(all.size());
    const Extent run{0, all.size(), f.chunk.chunk, 0, 0, stripes[0].placed.shape};
    const auto outcome = read_extent(f.shards, f.clock, f.chunk, run, out);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().what;
    ASSERT_EQ(out, all);
  }
}

TEST(OpenChunkTest, CommitsWaitForTheirTurnAndABreakReleasesThem) {
  StripeFixture f({2, 1});
  EXPECT_TRUE(f.open.wait_for_turn(0));
  bool second = false, third = true;
  Thread waits("waits", [&] { second = f.open.wait_for_turn(4096); });
  Thread gives_up("gives_up", [&] { third = f.open.wait_for_turn(8192); });
  f.open.committed(4096);
  waits.join();
  EXPECT_TRUE(second);
  f.open.mark_broken("the test says so");
  gives_up.join();
  EXPECT_FALSE(third);
  EXPECT_TRUE(f.open.wait_for_turn(4096));  // its turn had come before
}

TEST(OpenChunkTest, ConcurrentSyncsShareOneRound) {
  StripeFixture f({4, 2});
  for (int round = 0; round < 20; ++round) {
    (void)f.written(4 * 8192);
    std::vector<Thread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back("sync", [&] { good += f.open.sync(f.open.end()).ok() ? 1 : 0; });
    }
    for (Thread& thread : threads) thread.join();
    ASSERT_EQ(good, 4);
    ASSERT_EQ(f.shards.counts().syncs, (round + 1) * 6u);
  }
}

TEST(OpenChunkTest, OthersSyncWhileOneAppends) {
  StripeFixture f({4, 2}, 4096);
  std::atomic<bool> stop = false;
  std::atomic<int> failures = 0;
  Thread syncer("syncer", [&] {
    while (!stop) failures += f.open.sync(f.open.end()).ok() ? 0 : 1;
  });
  std::vector<WrittenStripe> stripes;
  for (int i = 0; i < 200; ++i) stripes.push_back(f.written(f.random.between(1, 4 * 4096)));
  stop = true;
  syncer.join();
  EXPECT_EQ(failures, 0);
  ASSERT_TRUE(f.open.sync(f.open.end()).ok());
  for (uint32_t server = 1; server <= 6; ++server) f.shards.restart(ServerId{server}, true);
  for (const auto& stripe : stripes) ASSERT_TRUE(f.read(stripe).troubles.empty());
}

}  // namespace
}  // namespace cairn
