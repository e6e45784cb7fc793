// What leases occupy in the metaserver, measured, and that a session keeps to its bound. docs/coherence.md quotes the
// figures that this prints.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "metaserver/sessions/lease_table.h"
#include "tests/heap_use.h"

namespace cairn::test {
namespace {

using Use = LeaseTable::Use;

constexpr Instant kNow{1'000'000'000};
constexpr uint64_t kBound = 100'000;

TEST(LeaseMemoryTest, WhatAListedInodeOccupiesAndWhereItEnds) {
  LeaseTable table({});
  const auto look = [&](SessionId session, uint64_t first, uint64_t count, Use use) {
    const uint64_t before = heap_bytes();
    for (uint64_t i = first; i < first + count; ++i) table.grant_read(InodeId{i}, session, use, kNow);
    return static_cast<double>(heap_bytes() - before) / static_cast<double>(count);
  };
  const double first = look(SessionId{1}, 1, kBound, Use::look);
  const double second = look(SessionId{2}, 1, kBound, Use::look);
  const double third = look(SessionId{3}, 1, kBound, Use::look);
  fmt::print("a lease: {:.0f} bytes of the first session, {:.0f} of the second, {:.0f} of the third\n", first, second,
             third);
  look(SessionId{1}, kBound + 1, 3 * kBound, Use::look);
  EXPECT_EQ(table.listed(SessionId{1}), 2 * kBound) << "answers beyond that come without being listed";
  EXPECT_FALSE(table.grant_read(InodeId{10 * kBound}, SessionId{1}, Use::look, kNow));
  const double open = look(SessionId{1}, 10 * kBound, 9 * kBound, Use::open);
  fmt::print("an inode that is open: {:.0f} bytes\n", open);
  EXPECT_EQ(table.listed(SessionId{1}), 10 * kBound);
  EXPECT_TRUE(table.full(InodeId{1'000 * kBound}, SessionId{1}));
  for (const uint64_t session : {1, 2, 3}) table.end(SessionId{session});
  EXPECT_EQ(table.leases(), 0u);
  if (!heap_is_measurable()) GTEST_SKIP() << "the allocator does not say what was occupied";
  EXPECT_LT(first, 240);   // measured: 188
  EXPECT_LT(second, 160);  // 108
  EXPECT_LT(third, 160);   // 128
}

}  // namespace
}  // namespace cairn::test
