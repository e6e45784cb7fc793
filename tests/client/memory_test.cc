// What the client's tables occupy, measured, and that they keep to their bounds. docs/coherence.md and docs/limits.md
// quote the figures that this prints.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/inodes/directory_listing.h"
#include "client/inodes/inode_cache.h"
#include "client/inodes/inode_details.h"
#include "client/inodes/inode_lru.h"
#include "client/inodes/name_cache.h"
#include "tests/heap_use.h"

namespace cairn::test {
namespace {

constexpr uint64_t kMany = 100'000;

template <typename Fill>
double bytes_each(const char* what, uint64_t count, const Fill& fill) {
  const uint64_t before = heap_bytes();
  fill();
  const double each = static_cast<double>(heap_bytes() - before) / static_cast<double>(count);
  fmt::print("{}: {:.0f} bytes each\n", what, each);
  return each;
}

DirectoryPage page_of(uint64_t first_cookie, uint64_t entries, bool complete) {
  DirectoryPage page;
  page.parent = kRootInode;
  page.complete = complete;
  for (uint64_t i = first_cookie; i < first_cookie + entries; ++i) {
    Entry& entry = page.entries.emplace_back();
    entry.name = fmt::format("file-{:011}", i);  // 16 bytes
    entry.attributes.inode = InodeId{i};
    entry.attributes.mode = S_IFREG | 0644;
    entry.cookie = i;
  }
  return page;
}

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!heap_is_measurable()) GTEST_SKIP() << "the allocator does not say";
  }
};

TEST_F(MemoryTest, WhatACachedInodeOccupies) {
  InodeTable looked_at(2 * kMany);
  const double plain = bytes_each("an inode that was looked at", kMany, [&] {
    for (uint64_t i = 1; i <= kMany; ++i) looked_at.get(InodeId{i})->attributes_known = true;
  });
  EXPECT_LT(plain, 550);  // measured: 430
  InodeTable used(2 * kMany);
  const double file = bytes_each("a file that was read or written, without its extents", kMany, [&] {
    for (uint64_t i = 1; i <= kMany; ++i) (void)used.get(InodeId{i})->file();
  });
  EXPECT_LT(file, 1900);  // measured: 1,502
}

TEST_F(MemoryTest, WhatANameOccupies) {
  NameCache names(2 * kMany);
  const double each = bytes_each("a name of 16 bytes", kMany, [&] {
    for (uint64_t i = 1; i <= kMany; ++i)
      NameCache::Change(names, InodeId{1 + i % 1000}, fmt::format("file-{:011}", i)).became({InodeId{i}, i});
  });
  EXPECT_LT(each, 160);  // measured: 124
}

TEST_F(MemoryTest, WhatAListedEntryOccupiesIsCounted) {
  InodeLru<DirectoryListing> listings({64u << 20, 16u << 20});
  const double entry = bytes_each("an entry of a listing, with a name of 16 bytes", kMany, [&] {
    for (uint64_t at = 0; at < kMany; at += 1000) {
      listings.change(kRootInode, [&](DirectoryListing& listing) {
        listing.add(at == 0 ? 0 : 2 + at, page_of(3 + at, 1000, at + 1000 == kMany));
      });
    }
  });
  EXPECT_LT(entry, 50);  // measured: 40
  EXPECT_NEAR(static_cast<double>(listings.bytes()), entry * kMany, 0.05 * entry * kMany);

  InodeLru<DirectoryListing> empty({64u << 20, 16u << 20});
  const double directory = bytes_each("an empty directory that was listed", kMany, [&] {
    for (uint64_t i = 1; i <= kMany; ++i)
      empty.change(InodeId{i}, [&](DirectoryListing& listing) { listing.add(0, page_of(0, 0, true)); });
  });
  EXPECT_LE(directory * kMany, static_cast<double>(empty.bytes())) << "what it counts is not less than what it takes";
}

TEST_F(MemoryTest, WhatXattrsOccupyIsCounted) {
  InodeLru<InodeDetails> details({256u << 20, 64u << 20});
  const double each = bytes_each("an absent security.capability", kMany, [&] {
    for (uint64_t i = 1; i <= kMany; ++i)
      details.change(InodeId{i}, [](InodeDetails& own) { own.xattrs["security.capability"] = std::nullopt; });
  });
  EXPECT_LE(each * kMany, static_cast<double>(details.bytes()));
}

TEST(InodeLruTest, KeepsToItsBytesAndForgetsWhatWasUsedLongestAgo) {
  InodeLru<InodeDetails> details({100'000, 20'000});
  for (uint64_t i = 1; i <= 1000; ++i) {
    details.change(InodeId{i}, [](InodeDetails& own) { own.target = std::string(1000, 'x'); });
    EXPECT_LE(details.bytes(), 100'000u);
    EXPECT_FALSE(details.look(InodeId{1}, [](const InodeDetails& own) { return own.empty(); })) << "in use";
  }
  EXPECT_TRUE(details.look(InodeId{500}, [](const InodeDetails& own) { return own.empty(); }));
  details.change(InodeId{1}, [](InodeDetails& own) { own.target = std::string(30'000, 'x'); });
  EXPECT_TRUE(details.look(InodeId{1}, [](const InodeDetails& own) { return own.empty(); })) << "too large for one";
  details.clear();
  EXPECT_EQ(details.bytes(), 0u);
}

TEST(InodeTableTest, HasNoMoreInodesThanItMayUnlessTheyAreInUse) {
  InodeTable table(1000);
  std::vector<std::shared_ptr<Inode>> used;
  for (uint64_t i = 1; i <= 10'000; ++i) {
    const auto inode = table.get(InodeId{i});
    if (i % 100 == 0) used.push_back(inode);
    EXPECT_LE(table.size(), 1000u);
  }
  for (const auto& inode : used) EXPECT_EQ(table.find(inode->id), inode);
}

TEST(DirectoryListingTest, AnswersPagesOnlyWhenAllOfItCameInOrder) {
  DirectoryListing listing;
  listing.add(5, page_of(6, 10, true));
  EXPECT_TRUE(listing.empty()) << "it does not begin at the start";
  listing.add(2, page_of(3, 10, false));
  EXPECT_FALSE(listing.page(kRootInode, 0, 100));
  listing.add(20, page_of(21, 10, true));
  EXPECT_FALSE(listing.page(kRootInode, 0, 100)) << "there is something between";
  listing.add(12, page_of(13, 5, false));
  listing.add(0, page_of(3, 10, false));  // another reader begins
  listing.add(17, page_of(18, 5, true));
  EXPECT_FALSE(listing.page(kRootInode, 0, 100));
  listing.add(12, page_of(13, 4, true));

  const auto all = listing.page(InodeId{9}, 0, 100);
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->complete);
  EXPECT_EQ(all->parent, kRootInode);
  ASSERT_EQ(all->entries.size(), 14u);
  for (uint64_t i = 0; i < 14; ++i) {
    EXPECT_EQ(all->entries[i].cookie, 3 + i);
    EXPECT_EQ(all->entries[i].name, fmt::format("file-{:011}", 3 + i));
    EXPECT_EQ(all->entries[i].attributes.inode, InodeId{3 + i});
    EXPECT_TRUE(S_ISREG(all->entries[i].attributes.mode));
  }
  const auto some = listing.page(InodeId{9}, 8, 5);  // a cookie whose entry is there, or was
  ASSERT_EQ(some->entries.size(), 5u);
  EXPECT_EQ(some->entries.front().cookie, 9u);
  EXPECT_FALSE(some->complete);
  EXPECT_TRUE(listing.page(InodeId{9}, 16, 5)->complete);
  EXPECT_TRUE(listing.page(InodeId{9}, 1000, 5)->entries.empty());
}

}  // namespace
}  // namespace cairn::test
