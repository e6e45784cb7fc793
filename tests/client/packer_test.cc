#include "client/write/packer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/random.h"

namespace cairn {
namespace {

TEST(PackerTest, CellsAreTheSmallestThatHoldTheBytes) {
  EXPECT_EQ(cell_bytes_for(1, 4, 256 << 10), 4096u);
  EXPECT_EQ(cell_bytes_for(4096, 4, 256 << 10), 4096u);
  EXPECT_EQ(cell_bytes_for(16384, 4, 256 << 10), 4096u);
  EXPECT_EQ(cell_bytes_for(16385, 4, 256 << 10), 8192u);
  EXPECT_EQ(cell_bytes_for(1 << 20, 4, 256 << 10), 256u << 10);
  EXPECT_EQ(cell_bytes_for(3 * 96 * 1024, 3, 96 << 10), 96u << 10);
}

// Every byte of every run lies where its extent says, stripes keep their bounds, and what the shapes say can be stored.
TEST(PackerTest, ExtentsLeadBackToEveryByteForRandomRuns) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    const uint32_t d = static_cast<uint32_t>(random.between(1, 10));
    const uint32_t cell = 4096u << random.below(5);
    const Code code{static_cast<uint8_t>(d), 2};
    std::vector<std::vector<uint8_t>> memory;
    std::vector<PackRun> runs;
    const uint32_t files = static_cast<uint32_t>(random.between(1, random.one_in(3) ? 1500 : 20));
    for (uint32_t file = 0; file < files; ++file) {
      uint64_t offset = random.below(100000);
      for (uint64_t run = random.between(1, 3); run > 0; --run) {
        PackRun made{file, InodeId{file + 10}, 1, offset, {}};
        for (uint64_t piece = random.between(1, 3); piece > 0; --piece) {
          memory.emplace_back(random.between(1, files > 100 ? 200 : 60000));
          for (uint8_t& byte : memory.back()) byte = static_cast<uint8_t>(random());
          made.bytes.push_back({memory.back().data(), memory.back().size()});
        }
        offset += made.length() + random.between(1, 5000);
        runs.push_back(std::move(made));
      }
    }
    std::vector<PackedStripe> stripes = pack(runs, d, cell);
    std::vector<std::vector<Extent>> extents(files);
    std::map<uint64_t, std::vector<uint8_t>> content;  // of stripes, by place
    uint64_t place = 0;
    for (PackedStripe& stripe : stripes) {
      ASSERT_LE(stripe.data.owners.size(), kMaxOwners);
      ASSERT_LE(stripe.cells(), d);
      stripe.place_from(static_cast<uint32_t>(random.between(0, d - stripe.cells())));
      const Result<StripeShape> shape = shape_of(stripe.data, code);
      ASSERT_TRUE(shape.ok()) << "seed " << seed << ": " << shape.error().what;
      std::vector<uint8_t>& bytes = content[place];
      bytes.resize(shape->data_bytes());
      uint64_t at = uint64_t{stripe.data.first_cell} * stripe.data.cell_bytes;
      for (const iovec& piece : stripe.data.pieces) {
        std::copy_n(static_cast<const uint8_t*>(piece.iov_base), piece.iov_len,
                    bytes.begin() + static_cast<std::ptrdiff_t>(at));
        at += piece.iov_len;
      }
      add_extents(stripe, {place, *shape}, ChunkId{5}, extents);
      place += shape->stride();
    }
    for (const PackRun& run : runs) {
      std::vector<uint8_t> wanted, found(run.length());
      for (const iovec& piece : run.bytes) {
        const auto* data = static_cast<const uint8_t*>(piece.iov_base);
        wanted.insert(wanted.end(), data, data + piece.iov_len);
      }
      uint64_t covered = 0;
      for (const Extent& extent : extents[run.file]) {
        ASSERT_TRUE(valid(extent)) << "seed " << seed;
        const uint64_t from = std::max(extent.offset, run.offset),
                       to = std::min(extent.end(), run.offset + run.length());
        if (from >= to) continue;
        uint64_t out = from - run.offset;
        for (const CellRange& range : cells_of(extent.part(from, to))) {
          std::copy_n(content.at(range.place).begin() + range.cell * extent.shape.cell_bytes + range.offset,
                      range.length, found.begin() + static_cast<std::ptrdiff_t>(out));
          out += range.length;
        }
        covered += to - from;
      }
      ASSERT_EQ(covered, run.length()) << "seed " << seed;
      ASSERT_EQ(found, wanted) << "seed " << seed;
    }
  }
}

TEST(PackerTest, AStreamOfFullStripesBecomesOneExtent) {
  std::vector<uint8_t> memory(8 << 20);
  PackRun run{0, InodeId{2}, 1, 1 << 20, {{memory.data(), memory.size()}}};
  std::vector<PackedStripe> stripes = pack({&run, 1}, 4, 256 << 10);
  ASSERT_EQ(stripes.size(), 8u);
  std::vector<std::vector<Extent>> extents(1);
  uint64_t place = 0;
  for (const PackedStripe& stripe : stripes) {
    const StripeShape shape = *shape_of(stripe.data, {4, 2});
    add_extents(stripe, {place, shape}, ChunkId{5}, extents);
    place += shape.stride();
  }
  EXPECT_EQ(extents[0].size(), 1u);
}

}  // namespace
}  // namespace cairn
