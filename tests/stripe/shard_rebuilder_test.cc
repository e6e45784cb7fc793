#include "common/stripe/shard_rebuilder.h"

#include <gmock/gmock.h>

#include <cstring>

#include "tests/stripe/stripe_fixture.h"

namespace cairn {
namespace {

// A chunk with stripes of every kind, and what its shards were before anything was lost.
class Rebuilt : public StripeFixture {
 public:
  explicit Rebuilt(Code code, uint64_t seed = 1) : StripeFixture(code, 8192, seed) {
    const uint32_t full = code.d * 8192;
    for (int i = 0; i < 5; ++i) put(full, 0);
    put(full - 1, 0);
    put(full - 4096 - 77, 0);
    put(100, 0);
    for (uint32_t first = 0; first < code.d; ++first) {
      put(1 + random.below(4000), first);
      put(1 + random.below((code.d - first) * 8192), first);
    }
    for (int i = 0; i < 3; ++i) put(full, 0);
    for (uint32_t shard = 0; shard < code.shards(); ++shard) {
      const auto key = static_cast<uint8_t>(shard);
      before.push_back(shards.exists(chunk.chunk, key) ? shards.bytes(chunk.chunk, key) : std::vector<uint8_t>());
    }
  }

  void put(size_t bytes, uint32_t first_cell) {
    const WrittenStripe one = written(bytes, first_cell, 3);
    stripes.push_back({one.placed.place, one.placed.shape});
  }

  // The shard's file as it is made again.
  Result<std::vector<uint8_t>> rebuild(uint8_t shard, ShardRebuilder::Options options = {}) {
    std::vector<uint8_t> made;
    ShardRebuilder rebuilder(shards, clock, chunk, shard, std::move(options),
                             [&](uint64_t place, std::span<const iovec> record) -> Status {
                               for (const iovec& piece : record) {
                                 made.resize(std::max<size_t>(made.size(), place + piece.iov_len));
                                 std::memcpy(&made[place], piece.iov_base, piece.iov_len);
                                 place += piece.iov_len;
                               }
                               return sink_status;
                             });
    for (std::span<const StripeAt> left(stripes); !left.empty();) {
      ASSIGN(const size_t done, rebuilder.step(left));
      if (done == 0 || done > left.size()) return Error{Errc::io, "no step forward"};
      left = left.subspan(done);
    }
    counts = rebuilder.counts();
    return made;
  }

  std::vector<StripeAt> stripes;
  std::vector<std::vector<uint8_t>> before;
  ShardRebuilder::Counts counts;
  Status sink_status;
};

constexpr Code kCodes[] = {{1, 0}, {1, 2}, {2, 1}, {4, 2}, {8, 3}};

TEST(ShardRebuilderTest, EveryShardIsMadeAgainToTheByteFromTheOthers) {
  for (const Code code : kCodes) {
    if (code.m == 0) continue;
    Rebuilt f(code);
    for (uint8_t shard = 0; shard < code.shards(); ++shard) {
      const uint64_t asked = f.shards.reads_of(f.chunk.servers[shard]);
      const auto made = f.rebuild(shard);
      ASSERT_TRUE(made.ok()) << made.error().what;
      EXPECT_TRUE(*made == f.before[shard])
          << "shard " << int{shard} << " of (" << int{code.d} << "," << int{code.m} << ")";
      EXPECT_EQ(f.counts.copied, 0u);
      EXPECT_EQ(f.shards.reads_of(f.chunk.servers[shard]), asked) << "the lost shard is not asked";
    }
  }
}

TEST(ShardRebuilderTest, AsManyShardsAsTheCodeAllowsMayBeLostAtOnce) {
  for (const Code code : kCodes) {
    if (code.m == 0) continue;
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      Rebuilt f(code, seed);
      Random random(seed);
      ShardRebuilder::Options options;
      while (__builtin_popcountll(options.lost) < code.m) options.lost |= uint64_t{1} << random.below(code.shards());
      for (uint8_t shard = 0; shard < code.shards(); ++shard) {
        if ((options.lost >> shard & 1) == 0) continue;
        f.shards.kill(f.chunk.servers[shard]);
        const auto made = f.rebuild(shard, options);
        ASSERT_TRUE(made.ok()) << made.error().what;
        EXPECT_TRUE(*made == f.before[shard]) << int{shard};
      }
    }
  }
}

TEST(ShardRebuilderTest, AShardThatIsStillThereIsCopiedAndNothingElseIsRead) {
  for (const Code code : kCodes) {
    Rebuilt f(code);
    for (uint8_t shard = 0; shard < code.shards(); ++shard) {
      const uint64_t reads = f.shards.counts().reads, own = f.shards.reads_of(f.chunk.servers[shard]);
      const auto made = f.rebuild(shard, {.copies = {f.chunk.servers[shard]}});
      ASSERT_TRUE(made.ok()) << made.error().what;
      EXPECT_TRUE(*made == f.before[shard]) << int{shard};
      EXPECT_EQ(f.counts.decoded, 0u);
      EXPECT_EQ(f.shards.counts().reads - reads, f.shards.reads_of(f.chunk.servers[shard]) - own);
    }
  }
}

TEST(ShardRebuilderTest, OnlyTheRecordsThatAreDamagedAreDecoded) {
  Rebuilt f({4, 2});
  auto& bytes = f.shards.bytes(f.chunk.chunk, 1);
  bytes[f.stripes[1].place + 8] ^= 1;            // a header
  bytes[f.stripes[2].place + 4096 + 5000] ^= 1;  // a cell
  const auto made = f.rebuild(1, {.copies = {f.chunk.servers[1]}});
  ASSERT_TRUE(made.ok()) << made.error().what;
  EXPECT_TRUE(*made == f.before[1]);
  EXPECT_EQ(f.counts.decoded, 2u);
}

TEST(ShardRebuilderTest, DamageOfOthersIsReadAroundAndNeverPassedOn) {
  Rebuilt f({4, 2});
  for (uint8_t shard : {uint8_t{0}, uint8_t{5}}) f.shards.bytes(f.chunk.chunk, shard)[f.stripes[3].place + 4096] ^= 1;
  EXPECT_FALSE(f.rebuild(1).ok()) << "three of six records of a stripe are gone or damaged";
  f.shards.bytes(f.chunk.chunk, 5)[f.stripes[3].place + 4096] ^= 1;
  const auto made = f.rebuild(1);
  ASSERT_TRUE(made.ok()) << made.error().what;
  EXPECT_TRUE(*made == f.before[1]);
}

TEST(ShardRebuilderTest, ADeadStripeThatTooFewStillHaveStaysAHole) {
  Rebuilt f({4, 2});
  const uint64_t place = f.stripes[2].place;
  for (uint8_t shard = 0; shard < 4; ++shard) std::memset(&f.shards.bytes(f.chunk.chunk, shard)[place], 0, 4096);
  EXPECT_EQ(f.rebuild(5).code(), Errc::io) << "a live one is missed";
  for (StripeAt& stripe : f.stripes) stripe.dead = true;
  auto made = f.rebuild(5);
  ASSERT_TRUE(made.ok()) << made.error().what;
  EXPECT_EQ(f.counts.given_up, 1u);
  std::vector<uint8_t> expected = f.before[5];
  std::memset(&expected[place], 0, f.stripes[2].shape.stride());
  EXPECT_TRUE(*made == expected);
}

TEST(ShardRebuilderTest, AnErrorOfTheDiskIsNotTakenForADeadStripe) {
  Rebuilt f({2, 1});
  for (StripeAt& stripe : f.stripes) stripe.dead = true;
  f.sink_status = {Errc::io, "the disk is broken"};
  const auto made = f.rebuild(0);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().what, "the disk is broken");
}

TEST(ShardRebuilderTest, AStripeOfAnotherCodeIsRefused) {
  Rebuilt f({4, 2});
  f.stripes[0].shape.code = {2, 1};
  EXPECT_EQ(f.rebuild(0).code(), Errc::invalid);
}

}  // namespace
}  // namespace cairn
