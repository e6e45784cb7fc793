#include <gmock/gmock.h>

#include "tests/stripe/stripe_fixture.h"

namespace cairn {
namespace {

using testing::HasSubstr;

TEST(StripeReaderTest, WhatWasWrittenIsReadFromTheWantedCellsAlone) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  EXPECT_TRUE(f.read(stripe).status.ok());
  EXPECT_EQ(f.shards.counts().reads, 4u);
  EXPECT_EQ(f.shards.counts().bytes_read, 4 * 8192u);
  EXPECT_TRUE(f.read(stripe, 8192 + 100, 8192 + 200).status.ok());
  EXPECT_EQ(f.shards.counts().reads, 5u);
  EXPECT_EQ(f.shards.counts().bytes_read, 4 * 8192u + 4096);
}

TEST(StripeReaderTest, EveryRangeOfASmallStripeIsReadRight) {
  StripeFixture f({3, 2}, 4096);
  const auto stripe = f.written(2 * 4096 + 700, 0, 5);
  for (size_t from = 0; from < stripe.data.size(); from += 331) {
    for (size_t to = from + 1; to <= stripe.data.size(); to += 577) ASSERT_TRUE(f.read(stripe, from, to).status.ok());
  }
}

TEST(StripeReaderTest, LongRunsAreReadManyStripesAtOnce) {
  StripeFixture f({4, 2});
  std::vector<WrittenStripe> stripes;
  std::vector<uint8_t> all;
  for (int i = 0; i < 40; ++i) {
    stripes.push_back(f.make(4 * 8192));
    all.insert(all.end(), stripes.back().data.begin(), stripes.back().data.end());
  }
  ASSERT_TRUE(f.write(stripes).ok());
  f.shards.kill(ServerId{2});
  f.shards.kill(ServerId{6});
  const Extent run{5, all.size() - 1000, f.chunk.chunk, 0, 777, stripes[0].placed.shape};
  std::vector<uint8_t> out(run.length);
  const auto outcome = read_extent(f.shards, f.clock, f.chunk, run, out);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().what;
  EXPECT_EQ(outcome.decoded_stripes, 40u);
  EXPECT_EQ(outcome.decoded_bytes, 40u * 8192) << "the cells of server 2; server 6 has parity";
  EXPECT_TRUE(std::equal(out.begin(), out.end(), all.begin() + 777));
}

TEST(StripeReaderTest, EveryPairOfDeadServersIsReadAround) {
  for (uint32_t one = 1; one <= 6; ++one) {
    for (uint32_t two = one; two <= 6; ++two) {
      StripeFixture f({4, 2});
      const auto full = f.written(4 * 8192), partial = f.written(3 * 8192 + 5), small = f.written(100, 2),
                 short_run = f.written(9000, 1);
      f.shards.kill(ServerId{one});
      f.shards.kill(ServerId{two});
      for (const auto* stripe : {&full, &partial, &small, &short_run}) {
        const auto outcome = f.read(*stripe);
        ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().what;
      }
    }
  }
}

TEST(StripeReaderTest, TooFewServersAreNamed) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  for (const uint32_t server : {1, 3, 6}) f.shards.kill(ServerId{server});
  const auto outcome = f.read(stripe);
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.status.code(), Errc::io);
  EXPECT_THAT(outcome.status.error().what,
              HasSubstr("chunk 42 place 0: 3 of 6 shards good, 4 needed: shard 0 on server 1: unavailable: "));
  EXPECT_THAT(outcome.status.error().what, HasSubstr("shard 5 on server 6: unavailable"));
  EXPECT_EQ(outcome.troubles.size(), 3u);
}

TEST(StripeReaderTest, EveryFlippedByteOfAShardIsSeenAndReadAround) {
  StripeFixture f({2, 1}, 4096);
  const auto stripe = f.written(4096 + 1000);
  for (uint8_t shard = 0; shard < 3; ++shard) {
    auto& bytes = f.shards.bytes(f.chunk.chunk, shard);
    for (size_t at = 0; at < bytes.size(); ++at) {
      bytes[at] ^= 0x40;
      const auto outcome = f.read(stripe);
      ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().what;
      ASSERT_EQ(outcome.troubles.size(), shard < 2 ? 1u : 0u) << int{shard} << " " << at;
      for (const auto& trouble : outcome.troubles) ASSERT_EQ(trouble.error.code, Errc::corrupt);
      bytes[at] ^= 0x40;
    }
  }
  // The parity's bytes are seen when they are needed.
  f.shards.kill(ServerId{1});
  auto& parity = f.shards.bytes(f.chunk.chunk, 2);
  for (size_t at = 0; at < parity.size(); at += 7) {
    parity[at] ^= 1;
    ASSERT_FALSE(f.read(stripe).status.ok()) << at;
    parity[at] ^= 1;
  }
  EXPECT_TRUE(f.read(stripe).status.ok());
}

TEST(StripeReaderTest, SampledFlipsOfLargeCellsAreSeen) {
  StripeFixture f({4, 2}, 262144);
  const auto stripe = f.written(4 * 262144 - 3333);
  for (int i = 0; i < 100; ++i) {
    auto& bytes = f.shards.bytes(f.chunk.chunk, static_cast<uint8_t>(f.random.below(4)));
    const size_t at = f.random.below(bytes.size());
    bytes[at] ^= 0x01;
    const auto outcome = f.read(stripe);
    ASSERT_TRUE(outcome.status.ok());
    ASSERT_EQ(outcome.troubles.size(), 1u) << at;
    bytes[at] ^= 0x01;
  }
}

TEST(StripeReaderTest, SwappedShardsAreSeenAndReadAround) {
  for (uint8_t one = 0; one < 6; ++one) {
    for (uint8_t other = 0; other < one; ++other) {
      StripeFixture f({4, 2});
      const auto stripe = f.written(4 * 8192);
      f.shards.swap(f.chunk.chunk, one, other);
      const auto outcome = f.read(stripe);
      ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().what;
      // Parity is looked at only where a data shard was bad, and shard 4 before shard 5.
      const size_t seen = (other < 4 ? 1 : 0) + (one < 4 || (one == 4 && other < 4) ? 1 : 0);
      ASSERT_EQ(outcome.troubles.size(), seen) << int{one} << int{other};
    }
  }
}

TEST(StripeReaderTest, SwappedRecordsOfTwoStripesAreSeen) {
  StripeFixture f({4, 2});
  const auto first = f.written(4 * 8192), second = f.written(4 * 8192);
  const auto stride = static_cast<ptrdiff_t>(first.placed.shape.stride());
  for (const uint8_t shard : {1, 2}) {
    auto& bytes = f.shards.bytes(f.chunk.chunk, shard);
    std::swap_ranges(bytes.begin(), bytes.begin() + stride, bytes.begin() + stride);
  }
  EXPECT_EQ(f.read(first).troubles.size(), 2u);
  EXPECT_EQ(f.read(second).troubles.size(), 2u);
  EXPECT_TRUE(f.read(second).status.ok());
}

TEST(StripeReaderTest, MovedBlocksWithinACellAreSeen) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  auto& bytes = f.shards.bytes(f.chunk.chunk, 0);
  std::swap_ranges(bytes.begin() + 4096, bytes.begin() + 8192, bytes.begin() + 8192);
  const auto outcome = f.read(stripe);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.troubles.size(), 1u);
}

TEST(StripeReaderTest, AShardThatLostItsEndIsReadAround) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  f.shards.bytes(f.chunk.chunk, 0).resize(4096 + 100);
  f.shards.bytes(f.chunk.chunk, 3).clear();
  const auto outcome = f.read(stripe);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.troubles.size(), 2u);
}

TEST(StripeReaderTest, DamageSpreadOverMoreThanMShardsIsReadBlockByBlock) {
  StripeFixture f({4, 2}, 32768);
  const auto stripe = f.written(4 * 32768);
  // Five of the six cells have one bad block, each at another offset: no cell range has four good shards, each block
  // has.
  for (uint8_t shard = 0; shard < 5; ++shard) f.shards.bytes(f.chunk.chunk, shard)[4096 + shard * 4096u] ^= 1;
  const auto outcome = f.read(stripe);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error().what;
  EXPECT_TRUE(f.read(stripe, 11, 131000).status.ok());
  for (uint8_t shard = 0; shard < 3; ++shard) f.shards.bytes(f.chunk.chunk, shard)[4096 + 7 * 4096u] ^= 1;
  EXPECT_FALSE(f.read(stripe).status.ok());
  EXPECT_TRUE(f.read(stripe, 0, 7 * 4096).status.ok());
}

TEST(StripeReaderTest, ASlowServerIsHedgedWithoutWaitingForIt) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  f.shards.delay(ServerId{2}, 5s);
  const Instant before = f.clock.now();
  const auto outcome = f.read(stripe, {.hedge_after = 20ms});
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(f.clock.now() - before, 20ms);
  EXPECT_EQ(outcome.hedged_cells, 1u);
  EXPECT_EQ(outcome.decoded_stripes, 1u);
  EXPECT_EQ(f.shards.counts().cancelled, 1u);
}

TEST(StripeReaderTest, WhereAllAreSlowNothingIsAskedTwice) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  for (uint32_t server = 1; server <= 6; ++server) f.shards.delay(ServerId{server}, 250ms);
  f.shards.set_usual_latency(100ms);
  const auto outcome = f.read(stripe, {.hedge_after = 20ms});
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.hedged_cells, 0u);
  EXPECT_EQ(f.shards.counts().reads, 4u);
  f.shards.delay(ServerId{2}, 1h);  // late even there
  EXPECT_EQ(f.read(stripe, {.hedge_after = 20ms}).hedged_cells, 1u);
}

TEST(StripeReaderTest, ALateAnswerThatComesFirstIsTaken) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  for (uint32_t server = 1; server <= 6; ++server) f.shards.delay(ServerId{server}, server == 1 ? 30ms : 40ms);
  const auto outcome = f.read(stripe, 0, 100, {.hedge_after = 20ms});
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.decoded_stripes, 0u);
  EXPECT_EQ(outcome.decoded_bytes, 0u);
  EXPECT_EQ(outcome.hedged_cells, 1u);
  EXPECT_EQ(f.shards.counts().cancelled, 4u);
}

TEST(StripeReaderTest, SilentServersEndInAnErrorAtTheDeadline) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  for (const uint32_t server : {1, 2, 3}) f.shards.delay(ServerId{server}, 1h);
  const Instant before = f.clock.now();
  const auto outcome = f.read(stripe, {.give_up_after = 2s});
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.status.code(), Errc::io);
  EXPECT_EQ(f.clock.now() - before, 2s);
}

TEST(StripeReaderTest, AServerThatIsKnownToBeBadIsAvoided) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  f.shards.set_reluctance(ServerId{3}, 1000);
  EXPECT_TRUE(f.read(stripe).status.ok());
  EXPECT_EQ(f.shards.reads_of(ServerId{3}), 0u);
}

TEST(StripeReaderTest, NothingButTheRangeIsWritten) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  f.shards.kill(ServerId{1});
  std::vector<uint8_t> memory(3 * 8192, 0xcc);
  const std::span<uint8_t> out = std::span(memory).subspan(5000, 9000);
  ASSERT_TRUE(read_extent(f.shards, f.clock, f.chunk, stripe.extent(f.chunk.chunk, 4000, 13000), out).status.ok());
  EXPECT_TRUE(std::equal(out.begin(), out.end(), stripe.data.begin() + 4000));
  EXPECT_EQ(std::count(memory.begin(), memory.begin() + 5000, 0xcc), 5000);
  EXPECT_EQ(std::count(memory.begin() + 14000, memory.end(), 0xcc), 3 * 8192 - 14000);
}

TEST(StripeReaderTest, MalformedExtentsAreRefused) {
  StripeFixture f({4, 2});
  const auto stripe = f.written(4 * 8192);
  std::vector<uint8_t> out(100);
  Extent extent = stripe.extent(f.chunk.chunk, 0, 100);
  extent.shape.code = {3, 2};
  EXPECT_EQ(read_extent(f.shards, f.clock, f.chunk, extent, out).status.code(), Errc::invalid);
  extent = stripe.extent(f.chunk.chunk, 0, 101);
  EXPECT_EQ(read_extent(f.shards, f.clock, f.chunk, extent, out).status.code(), Errc::invalid);
  extent = stripe.extent(ChunkId{43}, 0, 100);
  EXPECT_EQ(read_extent(f.shards, f.clock, f.chunk, extent, out).status.code(), Errc::invalid);
}

}  // namespace
}  // namespace cairn
