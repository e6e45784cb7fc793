#include "common/stripe/geometry.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace cairn {
namespace {

constexpr StripeShape kShape{{4, 2}, 8192, 4096, 0b1111};

Extent run(uint64_t length, uint64_t position = 0) { return {1000, length, ChunkId{7}, 4096 * 3, position, kShape}; }

// The place and position of the run's byte that holds offset `at` of the file, one byte at a time.
std::pair<uint64_t, uint64_t> model(const Extent& extent, uint64_t at) {
  uint64_t place = extent.place, position = extent.position;
  for (uint64_t i = extent.offset; i < at; ++i) {
    if (++position == extent.shape.data_bytes()) position = 0, place += extent.shape.stride();
  }
  return {place, position};
}

TEST(GeometryTest, PartMovesToTheStripeOfItsFirstByte) {
  const Extent extent = run(200000, 5000);
  for (const uint64_t from : {0ull, 1ull, 27767ull, 27768ull, 27769ull, 60535ull, 60536ull, 199999ull}) {
    const Extent part = extent.part(extent.offset + from, extent.end());
    const auto [place, position] = model(extent, part.offset);
    EXPECT_EQ(part.place, place) << from;
    EXPECT_EQ(part.position, position) << from;
    EXPECT_EQ(part.end(), extent.end());
    EXPECT_TRUE(valid(part));
  }
}

TEST(GeometryTest, PartsJoinAgainAtEveryCut) {
  const Extent extent = run(3 * 32768, 4096);
  for (uint64_t cut = 1; cut < extent.length; cut += 511) {
    const Extent left = extent.part(extent.offset, extent.offset + cut);
    const Extent right = extent.part(extent.offset + cut, extent.end());
    ASSERT_TRUE(left.joins(right)) << cut;
    ASSERT_FALSE(right.joins(left)) << cut;
    Extent moved = right;
    moved.offset += 1;
    EXPECT_FALSE(left.joins(moved));
    moved = right;
    moved.place += kShape.stride();
    EXPECT_FALSE(left.joins(moved));
    moved = right;
    moved.position += 1;
    EXPECT_FALSE(left.joins(moved));
    moved = right;
    moved.chunk = ChunkId{8};
    EXPECT_FALSE(left.joins(moved));
  }
}

TEST(GeometryTest, StripesWithAbsentCellsJoinOnlyWithinOneStripe) {
  StripeShape two = kShape;
  two.present = 0b0011;
  const Extent first{0, 10000, ChunkId{7}, 0, 0, two};
  EXPECT_TRUE(first.joins({10000, 6384, ChunkId{7}, 0, 10000, two}));
  StripeShape last = kShape;
  last.present = 0b1000;
  const Extent end_of_stripe{0, 8192, ChunkId{7}, 0, 3 * 8192, last};
  EXPECT_FALSE(end_of_stripe.joins({8192, 8192, ChunkId{7}, last.stride(), 0, last}));
}

TEST(GeometryTest, CellsAreTheBytesInOrder) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const uint64_t position = random.below(kShape.data_bytes());
    const Extent extent = run(random.between(1, 100000), position);
    uint64_t offset = extent.offset;
    for (const CellRange& range : cells_of(extent)) {
      const auto [place, at] = model(extent, offset);
      ASSERT_EQ(range.place, place);
      ASSERT_EQ(range.cell * uint64_t{8192} + range.offset, at);
      ASSERT_GT(range.length, 0u);
      ASSERT_LE(range.offset + range.length, 8192u);
      offset += range.length;
    }
    ASSERT_EQ(offset, extent.end());
  }
}

TEST(GeometryTest, MalformedShapesAreRefused) {
  EXPECT_TRUE(valid(kShape));
  const auto broken = [](auto change) {
    StripeShape shape = kShape;
    change(shape);
    return !valid(shape);
  };
  EXPECT_TRUE(broken([](StripeShape& s) { s.code.d = 0; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.code.d = 33; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.code.m = 9; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.cell_bytes = 0; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.cell_bytes = 4097; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.cell_bytes = kMaxCellBytes + 4096; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.header_bytes = 0; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.header_bytes = kMaxHeaderBytes + 4096; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.present = 0; }));
  EXPECT_TRUE(broken([](StripeShape& s) { s.present = 0b10000; }));
  EXPECT_FALSE(broken([](StripeShape& s) { s = {{32, 8}, kMaxCellBytes, kMaxHeaderBytes, ~0u}; }));
}

TEST(GeometryTest, ExtentsThatWouldOverflowAreRefused) {
  EXPECT_TRUE(valid(run(1)));
  const auto broken = [](auto change) {
    Extent extent = run(100000, 100);
    change(extent);
    return !valid(extent);
  };
  EXPECT_TRUE(broken([](Extent& e) { e.length = 0; }));
  EXPECT_TRUE(broken([](Extent& e) { e.length = UINT64_MAX; }));
  EXPECT_TRUE(broken([](Extent& e) { e.length = INT64_MAX, e.offset = 0; }));
  EXPECT_TRUE(broken([](Extent& e) { e.offset = INT64_MAX; }));
  EXPECT_TRUE(broken([](Extent& e) { e.offset = UINT64_MAX; }));
  EXPECT_TRUE(broken([](Extent& e) { e.position = kShape.data_bytes(); }));
  EXPECT_TRUE(broken([](Extent& e) { e.position = UINT64_MAX; }));
  EXPECT_TRUE(broken([](Extent& e) { e.place = UINT64_MAX / 4096 * 4096; }));
  EXPECT_TRUE(broken([](Extent& e) { e.place = kMaxShardBytes; }));
  EXPECT_TRUE(broken([](Extent& e) { e.place = 100; }));
  EXPECT_TRUE(broken([](Extent& e) { e.chunk = ChunkId{}; }));
  EXPECT_TRUE(broken([](Extent& e) { e.shape.present = 0b0111; }));  // a run of several stripes
}

TEST(GeometryTest, AnExtentLiesInPresentCells) {
  StripeShape middle = kShape;
  middle.present = 0b0110;
  EXPECT_TRUE(valid(Extent{0, 16384, ChunkId{7}, 0, 8192, middle}));
  EXPECT_FALSE(valid(Extent{0, 16385, ChunkId{7}, 0, 8192, middle}));
  EXPECT_FALSE(valid(Extent{0, 2, ChunkId{7}, 0, 8191, middle}));
}

}  // namespace
}  // namespace cairn
