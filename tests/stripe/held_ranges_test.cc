#include "common/stripe/held_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/base/random.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr ServerId kNobody{};
constexpr uint32_t kCell = 4096;

StripeShape shape_of(uint8_t d, uint32_t cells = 1, uint32_t present = ~0u) {
  StripeShape shape{{d, 2}, cells * kCell, 4096, present};
  shape.present &= shape.all_present();
  return shape;
}
ChunkHolders holders_of(uint64_t chunk, std::vector<uint32_t> servers) {
  ChunkHolders holders{ChunkId{chunk}, {}};
  for (const uint32_t server : servers) holders.data.push_back(ServerId{server});
  return holders;
}
HeldRange held(uint64_t begin, uint64_t end, uint32_t server) { return {begin, end, ServerId{server}}; }

TEST(HeldRangesTest, AWholeStripeIsDealtToItsServersCellByCell) {
  const std::vector<Extent> extents = {{0, 5 * kCell, ChunkId{7}, 0, 0, shape_of(3)}};
  const std::vector<ChunkHolders> holders = {holders_of(7, {11, 12, 13})};
  const auto ranges = held_ranges(0, 5 * kCell, extents, holders);
  ASSERT_TRUE(ranges.ok()) << ranges.error().what;
  EXPECT_THAT(*ranges, ElementsAre(held(0, kCell, 11), held(kCell, 2 * kCell, 12), held(2 * kCell, 3 * kCell, 13),
                                   held(3 * kCell, 4 * kCell, 11), held(4 * kCell, 5 * kCell, 12)));
  EXPECT_THAT(ranges_of(ServerId{12}, *ranges),
              ElementsAre(held(kCell, 2 * kCell, 12), held(4 * kCell, 5 * kCell, 12)));
  EXPECT_THAT(ranges_of(ServerId{14}, *ranges), IsEmpty());
}

TEST(HeldRangesTest, HolesAndWhatLiesInNoChunkBelongToNobody) {
  const std::vector<Extent> extents = {{100, 50, ChunkId{7}, 0, 0, shape_of(1)},
                                       {300, 50, ChunkId{7}, 8192, 0, shape_of(1)}};
  const std::vector<ChunkHolders> holders = {holders_of(7, {11})};
  EXPECT_THAT(
      held_ranges(0, 400, extents, holders).value(),
      ElementsAre(held(0, 100, 0), held(100, 150, 11), held(150, 300, 0), held(300, 350, 11), held(350, 400, 0)));
  EXPECT_THAT(held_ranges(0, 2000, {}, {}).value(), ElementsAre(held(0, 2000, 0)));  // an inline file
  EXPECT_THAT(held_ranges(0, 0, {}, {}).value(), IsEmpty());                         // an empty one
}

TEST(HeldRangesTest, OnlyTheWindowIsCut) {
  const std::vector<Extent> extents = {{0, 3 * kCell, ChunkId{7}, 0, 0, shape_of(2)},
                                       {3 * kCell, kCell, ChunkId{8}, 0, 0, shape_of(2)}};
  const std::vector<ChunkHolders> holders = {holders_of(7, {11, 12})};
  // The second extent lies behind the window, so its chunk need not be known.
  EXPECT_THAT(held_ranges(100, kCell + 5, extents, holders).value(),
              ElementsAre(held(100, kCell, 11), held(kCell, kCell + 5, 12)));
}

TEST(HeldRangesTest, APackedFileBeginsInTheMiddleOfARunAndOfACell) {
  const std::vector<Extent> extents = {{0, 3000, ChunkId{7}, 0, kCell + 4000, shape_of(4)}};
  const std::vector<ChunkHolders> holders = {holders_of(7, {11, 12, 13, 14})};
  EXPECT_THAT(held_ranges(0, 3000, extents, holders).value(), ElementsAre(held(0, 96, 12), held(96, 3000, 13)));
}

TEST(HeldRangesTest, AStripeWithAbsentCellsLiesWhereItsPresentCellIs) {
  const Extent lone{0, 10, ChunkId{7}, 0, 2 * kCell, shape_of(4, 1, 0b0100)};
  ASSERT_TRUE(valid(lone));
  EXPECT_THAT(held_ranges(0, 10, std::vector{lone}, std::vector{holders_of(7, {11, 12, 13, 14})}).value(),
              ElementsAre(held(0, 10, 13)));
}

TEST(HeldRangesTest, NeighboursOfOneServerAreOneRange) {
  // Copies: one data shard, so the whole file lies there, however many cells and chunks it has.
  const std::vector<Extent> extents = {{0, 5 * kCell, ChunkId{7}, 0, 0, shape_of(1)},
                                       {5 * kCell, kCell, ChunkId{8}, 0, 0, shape_of(1)}};
  const std::vector<ChunkHolders> holders = {holders_of(7, {11}), holders_of(8, {11})};
  EXPECT_THAT(held_ranges(0, 6 * kCell, extents, holders).value(), ElementsAre(held(0, 6 * kCell, 11)));
}

TEST(HeldRangesTest, WhatDoesNotFitTogetherIsRefused) {
  const std::vector<ChunkHolders> holders = {holders_of(7, {11, 12})};
  const std::vector<Extent> strange = {{0, 10, ChunkId{9}, 0, 0, shape_of(2)}};
  EXPECT_EQ(held_ranges(0, 10, strange, holders).code(), Errc::invalid);
  const std::vector<Extent> more_shards = {{0, 10, ChunkId{7}, 0, 0, shape_of(3)}};
  EXPECT_EQ(held_ranges(0, 10, more_shards, holders).code(), Errc::invalid);
  const std::vector<Extent> overlapping = {{0, 10, ChunkId{7}, 0, 0, shape_of(2)},
                                           {9, 10, ChunkId{7}, 8192, 0, shape_of(2)}};
  EXPECT_EQ(held_ranges(0, 30, overlapping, holders).code(), Errc::invalid);
}

// A file of random extents, over chunks with full and shortened codes, and what each byte's server is by the geometry.
struct RandomFile {
  explicit RandomFile(uint64_t seed) : random(seed) {
    uint64_t offset = 0;
    for (uint64_t n = random.below(12); n > 0; --n) {
      if (random.one_in(3)) offset += 1 + random.below(3 * kCell);
      const uint64_t chunk = 1 + random.below(4);
      Extent extent{offset,
                    1 + random.below(9 * kCell),
                    ChunkId{chunk},
                    4096 * random.below(64),
                    0,
                    shape_of(static_cast<uint8_t>(1 + chunk % 4), 1 + static_cast<uint32_t>(chunk % 2))};
      extent.position = random.below(extent.shape.data_bytes());
      extents.push_back(extent);
      offset = extent.end();
    }
    size = offset + random.below(2000);
    for (uint64_t chunk = 1; chunk <= 4; ++chunk) {
      ChunkHolders one{ChunkId{chunk}, {}};
      for (uint32_t shard = 0; shard < 1 + chunk % 4; ++shard)
        one.data.push_back(ServerId{1 + (static_cast<uint32_t>(chunk) + shard) % 5});
      holders.push_back(one);
    }
  }
  ServerId server_of(uint64_t at) const {
    for (const Extent& extent : extents) {
      if (at < extent.offset || at >= extent.end()) continue;
      const CellRange cell = cells_of(extent.part(at, at + 1)).front();
      return holders[raw(extent.chunk) - 1].data[cell.cell];
    }
    return kNobody;
  }
  Random random;
  uint64_t size = 0;
  std::vector<Extent> extents;
  std::vector<ChunkHolders> holders;
};

TEST(HeldRangesTest, OverAllOwnersEachByteOfEachWindowIsInOneRangeOfItsServer) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    RandomFile file(seed);
    for (uint64_t begin = 0; begin < file.size;) {
      const uint64_t end = std::min(file.size, begin + 1 + file.random.below(10 * kCell));
      const auto ranges = held_ranges(begin, end, file.extents, file.holders);
      ASSERT_TRUE(ranges.ok()) << ranges.error().what;
      std::map<uint64_t, HeldRange> sorted;  // of all owners together
      for (uint32_t owner = 0; owner <= 5; ++owner) {
        for (const HeldRange& range : ranges_of(ServerId{owner}, *ranges))
          ASSERT_TRUE(sorted.emplace(range.begin, range).second);
      }
      uint64_t at = begin;
      ServerId previous{99};
      for (const auto& [from, range] : sorted) {
        ASSERT_EQ(from, at) << "seed " << seed;
        ASSERT_LT(range.begin, range.end);
        ASSERT_NE(range.holder, previous);
        previous = range.holder;
        at = range.end;
        for (const uint64_t byte : {range.begin, (range.begin + range.end) / 2, range.end - 1})
          ASSERT_EQ(file.server_of(byte), range.holder) << "seed " << seed << " byte " << byte;
      }
      ASSERT_EQ(at, end) << "seed " << seed;
      begin = end;
    }
  }
}

}  // namespace
}  // namespace cairn
