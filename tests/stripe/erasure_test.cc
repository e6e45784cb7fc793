// Every pattern of up to m lost shards, for every code with k <= 10 and m <= 4, with and without absent cells.
#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "common/base/random.h"
#include "common/stripe/erasure_code.h"

namespace cairn {
namespace {

constexpr size_t kBytes = 96;  // more than a vector, not a multiple of one

struct Stripe {
  Stripe(Code code, uint32_t zeros_mask, uint64_t seed)
      : zeros(zeros_mask), shards(code.shards(), std::vector<uint8_t>(kBytes)) {
    Random random(seed);
    std::vector<const uint8_t*> data;
    std::vector<uint8_t*> parity;
    for (uint32_t i = 0; i < code.d; ++i) {
      const bool zero = (zeros >> i & 1) != 0;
      if (!zero)
        for (uint8_t& byte : shards[i]) byte = static_cast<uint8_t>(random());
      data.push_back(zero ? nullptr : shards[i].data());
    }
    for (uint32_t i = 0; i < code.m; ++i) parity.push_back(shards[code.d + i].data());
    ErasureCode::of(code)->encode(data, parity, kBytes);
  }
  uint32_t zeros;
  std::vector<std::vector<uint8_t>> shards;
};

// Loses these shards and rebuilds all of them. Absent cells cannot be lost.
void lose(Code code, const Stripe& stripe, uint64_t lost) {
  std::vector<const uint8_t*> known;
  std::vector<std::vector<uint8_t>> rebuilt;
  std::vector<ErasureCode::Wanted> wanted;
  rebuilt.reserve(code.shards());
  for (uint32_t i = 0; i < code.shards(); ++i) {
    const bool zero = i < code.d && (stripe.zeros >> i & 1) != 0;
    const bool gone = (lost >> i & 1) != 0;
    known.push_back(zero || gone ? nullptr : stripe.shards[i].data());
    if (!gone) continue;
    rebuilt.emplace_back(kBytes, uint8_t{0xdd});
    wanted.push_back({i, rebuilt.back().data()});
  }
  const Status status = ErasureCode::of(code)->reconstruct(known, stripe.zeros, wanted, kBytes);
  ASSERT_TRUE(status.ok()) << status.error().what;
  for (const auto& want : wanted) {
    ASSERT_EQ(std::memcmp(want.out, stripe.shards[want.shard].data(), kBytes), 0)
        << "ec(" << int{code.d} << "," << int{code.m} << ") shard " << want.shard << " of lost " << std::hex << lost;
  }
}

void lose_every_pattern(Code code, const Stripe& stripe) {
  for (uint64_t lost = 0; lost < uint64_t{1} << code.shards(); ++lost) {
    if (std::popcount(lost) > code.m || (lost & stripe.zeros) != 0) continue;
    lose(code, stripe, lost);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(ErasureTest, EveryPatternOfLossesOfFullStripesIsRebuilt) {
  for (uint8_t d = 1; d <= 10; ++d) {
    for (uint8_t m = 0; m <= 4; ++m) lose_every_pattern({d, m}, Stripe({d, m}, 0, d * 16u + m));
  }
}

TEST(ErasureTest, EveryPatternOfLossesOfStripesWithAbsentCellsIsRebuilt) {
  for (uint8_t d = 2; d <= 10; ++d) {
    for (uint8_t m = 1; m <= 4; ++m) {
      for (uint32_t cells = 1; cells < d; ++cells) {  // what writers make: one run of present cells, anywhere
        for (uint32_t first = 0; first + cells <= d; ++first) {
          const uint32_t present = ((1u << cells) - 1) << first;
          lose_every_pattern({d, m}, Stripe({d, m}, ((1u << d) - 1) & ~present, present));
        }
      }
    }
  }
  for (uint8_t d = 2; d <= 6; ++d) {
    for (uint8_t m = 1; m <= 4; ++m) {
      for (uint32_t zeros = 1; zeros < 1u << d; ++zeros) lose_every_pattern({d, m}, Stripe({d, m}, zeros, zeros));
    }
  }
}

TEST(ErasureTest, ShortenedCodesAreTheSameCodeWithZerosLeftOut) {
  // ec(3,2) is what a chunk of class ec(4,2) gets on five domains: a code of its own, rebuilt from any 3 of its 5.
  for (uint8_t d = 1; d <= 4; ++d) lose_every_pattern({d, 2}, Stripe({d, 2}, 0, d));
}

TEST(ErasureTest, WideCodesWithEightParityShardsAreRebuilt) {
  const Code code{32, 8};
  const Stripe stripe(code, 0, 5);
  Random random(5);
  for (int i = 0; i < 500; ++i) {
    uint64_t lost = 0;
    while (std::popcount(lost) < 8) lost |= uint64_t{1} << random.below(40);
    lose(code, stripe, lost);
  }
}

TEST(ErasureTest, OneLossTooManyIsAnErrorAndNotGarbage) {
  const Code code{4, 2};
  const Stripe stripe(code, 0, 6);
  std::vector<const uint8_t*> known{
      nullptr, nullptr, nullptr, stripe.shards[3].data(), stripe.shards[4].data(), stripe.shards[5].data()};
  std::vector<uint8_t> out(kBytes, 0xaa);
  const ErasureCode::Wanted wanted{0, out.data()};
  EXPECT_EQ(ErasureCode::of(code)->reconstruct(known, 0, {&wanted, 1}, kBytes).code(), Errc::unavailable);
  EXPECT_EQ(out, std::vector<uint8_t>(kBytes, 0xaa));
}

TEST(ErasureTest, LongCellsAreMadeInSlicesWithTheSameResult) {
  const Code code{3, 2};
  constexpr size_t bytes = 300'001;
  Random random(9);
  std::vector<std::vector<uint8_t>> shards(5, std::vector<uint8_t>(bytes));
  for (int i = 0; i < 3; ++i)
    for (uint8_t& byte : shards[i]) byte = static_cast<uint8_t>(random());
  const uint8_t* data[] = {shards[0].data(), shards[1].data(), shards[2].data()};
  uint8_t* parity[] = {shards[3].data(), shards[4].data()};
  const auto erasure = ErasureCode::of(code);
  erasure->encode(data, parity, bytes);
  for (size_t at = 0; at < bytes; at += 4096) {
    const size_t length = std::min<size_t>(4096, bytes - at);
    std::vector<uint8_t> one(length), two(length);
    const uint8_t* part[] = {data[0] + at, data[1] + at, data[2] + at};
    uint8_t* made[] = {one.data(), two.data()};
    erasure->encode(part, made, length);
    ASSERT_EQ(std::memcmp(one.data(), parity[0] + at, length), 0);
    ASSERT_EQ(std::memcmp(two.data(), parity[1] + at, length), 0);
  }
}

TEST(ErasureTest, MoreLossPatternsThanAreRememberedStayRight) {
  const Code code{8, 3};
  const Stripe stripe(code, 0, 11);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t lost = 0; lost < 1u << 11; ++lost) {
      if (std::popcount(lost) == 3) lose(code, stripe, lost);
    }
  }
}

}  // namespace
}  // namespace cairn
