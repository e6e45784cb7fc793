// Known extents against a model with one entry for each byte.
#include "client/inodes/layout_cache.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace cairn {
namespace {

constexpr uint64_t kFile = 2000;
struct Byte {
  bool known = false;
  uint64_t place = 0;  // 0: hole
  uint64_t position = 0;
  bool operator==(const Byte&) const = default;
};

KnownExtent extent(uint64_t offset, uint64_t length, uint64_t place, uint64_t position) {
  StripeShape shape{{4, 2}, 4096, 4096, 15};
  return {{offset, length, ChunkId{1}, place * 8192, position, shape}, nullptr};
}

void check(const LayoutCache& cache, const std::vector<Byte>& model, uint64_t seed) {
  for (uint64_t at = 0; at < kFile; ++at) {
    const Byte& byte = model[at];
    ASSERT_EQ(cache.knows(at, at + 1), byte.known) << "seed " << seed << " at " << at;
    if (!byte.known) continue;
    const auto found = cache.within(at, at + 1);
    ASSERT_EQ(found.size(), byte.place == 0 ? 0u : 1u) << "seed " << seed << " at " << at;
    if (byte.place == 0) continue;
    ASSERT_EQ(found[0].extent.place / 8192, byte.place);
    ASSERT_EQ(found[0].extent.position, byte.position);
  }
}

TEST(LayoutCacheTest, CommitsPagesAndHolesAgreeWithAModel) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    LayoutCache cache;
    cache.add_page(0, 1, {});
    std::vector<Byte> model(kFile);
    model[0].known = true;
    for (int step = 0; step < 40; ++step) {
      const uint64_t from = random.below(kFile - 1), to = random.between(from + 1, kFile);
      const uint64_t place = static_cast<uint64_t>(step) + 1, position = random.below(100);
      switch (random.below(4)) {
        case 0:
        case 1:
          cache.insert(extent(from, to - from, place, position));
          for (uint64_t at = from; at < to; ++at) model[at] = {true, place, position + at - from};
          break;
        case 2:
          cache.make_hole(from, to);
          for (uint64_t at = from; at < to; ++at) model[at] = {true, 0, 0};
          break;
        default: {  // a page with one extent in its middle that reaches beyond it
          const uint64_t begin = random.below(to);
          cache.add_page(from, to, {extent(begin, kFile - begin, place, position)});
          for (uint64_t at = from; at < to; ++at)
            model[at] = at < begin ? Byte{true, 0, 0} : Byte{true, place, position + at - begin};
          break;
        }
      }
      check(cache, model, seed);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(LayoutCacheTest, ANewFileIsKnownToBeEmpty) {
  LayoutCache cache;
  EXPECT_EQ(cache.head(), LayoutCache::Head::unknown);
  EXPECT_FALSE(cache.knows(0, 1));
  cache.make_empty();
  EXPECT_TRUE(cache.knows(0, UINT64_MAX));
  EXPECT_TRUE(cache.within(0, UINT64_MAX).empty());
}

TEST(LayoutCacheTest, InlineDataIsKnownAsAWholeUntilItIsReplaced) {
  LayoutCache cache;
  cache.make_inline("hello");
  EXPECT_TRUE(cache.knows(0, 1 << 20));
  cache.insert(extent(0, 10, 1, 0));  // the caller decides what becomes of inline data first
  EXPECT_EQ(cache.head(), LayoutCache::Head::inline_data);
  cache.make_empty();
  cache.insert(extent(0, 10, 1, 0));
  EXPECT_EQ(cache.count(), 1u);
  EXPECT_EQ(cache.inline_data(), nullptr);
}

}  // namespace
}  // namespace cairn
