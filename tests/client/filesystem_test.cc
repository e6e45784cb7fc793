// The filesystem against a real cluster in this process: each behaviour on its own.
#include "client/filesystem.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/rpc/meta_client.h"
#include "tests/client/cluster_fixture.h"

namespace cairn {
namespace {

using test::Cluster;
using test::directory_node;
using test::file_node;
using test::must;
using test::pattern;
using test::read_all;

uint64_t statistic(const Filesystem& filesystem, const std::string& name) {
  return nlohmann::json::parse(filesystem.statistics_json()).at(name).get<uint64_t>();
}

class FilesystemTest : public testing::Test {
 protected:
  // A file with this content, still buffered, with an open handle.
  Filesystem::Created make(const std::string& name, std::span<const uint8_t> content) {
    Filesystem::Created made = must(mounted_->create(file_node(name)));
    if (!content.empty()) must(mounted_->write(made.entry.attributes.inode, 0, content));
    return made;
  }
  void remount() {
    must(mounted_->close());
    mounted_.reset();
    mounted_ = cluster_.mount();
  }
  InodeId find(const std::string& name) { return must(mounted_->lookup(kRootInode, name)).attributes.inode; }
  size_t extents_of(InodeId inode) {
    MetaClient looker(real_network(), real_clock(), cluster_.metaserver());
    must(looker.open_session({"looker", "here", 1, false, 77}));
    size_t count = 0;
    for (uint64_t at = 0; at < (1ull << 40);) {
      const Layout page = must(looker.layout(inode, at, (1ull << 40) - at, 1000));
      count += page.extents.size();
      if (page.covered_until <= at) break;
      at = page.covered_until;
    }
    return count;
  }

  Cluster cluster_;
  std::unique_ptr<Filesystem> mounted_ = cluster_.mount();
};

TEST_F(FilesystemTest, TheOnlyMountIsSoleAndItsSizesAreSeenAtOnce) {
  EXPECT_TRUE(mounted_->sole());
  EXPECT_GT(mounted_->cache_ttl(), 1s);
  const auto made = make("a", pattern(1, 5000));
  EXPECT_EQ(must(mounted_->get_attributes(made.entry.attributes.inode)).size, 5000u);
  EXPECT_EQ(must(mounted_->lookup(kRootInode, "a")).attributes.size, 5000u);
  EXPECT_EQ(read_all(*mounted_, made.entry.attributes.inode), pattern(1, 5000));
  EXPECT_EQ(mounted_->lookup(kRootInode, "b").code(), Errc::not_found);
}

TEST_F(FilesystemTest, FilesOfEverySizeAreReadBackByAnotherMount) {
  const std::vector<size_t> sizes = {0,     1,      100,    2048,    2049,    4096,    10000,
                                     65536, 262144, 300001, 1048576, 1500000, 5000000, 20 << 20};
  for (size_t i = 0; i < sizes.size(); ++i)
    must(mounted_->release(make(fmt::format("f{}", i), pattern(i, sizes[i])).handle));
  remount();
  for (size_t i = 0; i < sizes.size(); ++i)
    EXPECT_EQ(read_all(*mounted_, find(fmt::format("f{}", i))), pattern(i, sizes[i])) << sizes[i];
}

TEST_F(FilesystemTest, WhatFsyncAcknowledgedSurvivesACrashOfTheClient) {
  const auto small = make("small", pattern(1, 700));
  const auto page = make("page", pattern(2, 4096));
  const auto large = make("large", pattern(3, 9 << 20));
  for (const auto& one : {small, page, large}) must(mounted_->sync(one.entry.attributes.inode));
  mounted_.reset();  // without close()
  mounted_ = cluster_.mount();
  EXPECT_EQ(read_all(*mounted_, find("small")), pattern(1, 700));
  EXPECT_EQ(read_all(*mounted_, find("page")), pattern(2, 4096));
  EXPECT_EQ(read_all(*mounted_, find("large")), pattern(3, 9 << 20));
}

TEST_F(FilesystemTest, ALonePageCostsOneCommitAndOneStripe) {
  const auto made = make("page", pattern(2, 4096));
  must(mounted_->sync(made.entry.attributes.inode));
  EXPECT_EQ(statistic(*mounted_, "commits"), 1u);
  EXPECT_EQ(statistic(*mounted_, "stored_stripes"), 1u);
  EXPECT_EQ(statistic(*mounted_, "layout_fetches"), 0u);
}

TEST_F(FilesystemTest, ATinyFileLivesInItsInodeAndGrowsOutOfIt) {
  const auto made = make("tiny", pattern(1, 1000));
  const InodeId inode = made.entry.attributes.inode;
  must(mounted_->sync(inode));
  EXPECT_EQ(statistic(*mounted_, "inline_files"), 1u);
  EXPECT_EQ(extents_of(inode), 0u);
  must(mounted_->write(inode, 9000, pattern(2, 100)));
  must(mounted_->sync(inode));
  remount();
  auto wanted = pattern(1, 1000);
  wanted.resize(9100);
  std::ranges::copy(pattern(2, 100), wanted.begin() + 9000);
  EXPECT_EQ(read_all(*mounted_, find("tiny")), wanted);
}

TEST_F(FilesystemTest, ShrinkThenGrowReadsZeros) {
  for (const size_t size : {1500u, 100000u, 3u << 20}) {
    for (const bool flushed : {false, true}) {
      const auto made = make(fmt::format("t{}{}", size, flushed), pattern(1, size));
      const InodeId inode = made.entry.attributes.inode;
      if (flushed) must(mounted_->sync(inode));
      SetAttributes change;
      change.inode = inode;
      change.size = size / 3;
      EXPECT_EQ(must(mounted_->set_attributes(change)).size, size / 3);
      change.size = size;
      EXPECT_EQ(must(mounted_->set_attributes(change)).size, size);
      auto wanted = pattern(1, size);
      std::fill(wanted.begin() + static_cast<std::ptrdiff_t>(size / 3), wanted.end(), 0);
      EXPECT_EQ(read_all(*mounted_, inode), wanted) << size << flushed;
      must(mounted_->sync(inode));
      EXPECT_EQ(read_all(*mounted_, inode), wanted) << size << flushed;
    }
  }
}

TEST_F(FilesystemTest, AnExplicitTimeIsNotOverwrittenByALaterFlush) {
  const auto made = make("timed", pattern(1, 5000));
  const InodeId inode = made.entry.attributes.inode;
  SetAttributes change;
  change.inode = inode;
  change.mtime = Time{1'000'000, 7};
  EXPECT_EQ(must(mounted_->set_attributes(change)).mtime, (Time{1'000'000, 7}));
  const Time ctime = must(mounted_->get_attributes(inode)).ctime;
  must(mounted_->sync(inode));
  EXPECT_EQ(must(mounted_->get_attributes(inode)).mtime, (Time{1'000'000, 7}));
  EXPECT_EQ(must(mounted_->get_attributes(inode)).ctime, ctime);
  remount();
  EXPECT_EQ(must(mounted_->get_attributes(find("timed"))).mtime, (Time{1'000'000, 7}));
}

TEST_F(FilesystemTest, AThousandSmallFilesShareFewStripesAndCommits) {
  const InodeId directory = must(mounted_->make_node(directory_node("small"))).attributes.inode;
  for (int i = 0; i < 1000; ++i) {
    const auto made = must(mounted_->create(file_node(fmt::format("f{}", i), directory)));
    must(mounted_->write(made.entry.attributes.inode, 0, pattern(i, 3000 + i)));
    must(mounted_->release(made.handle));
  }
  must(mounted_->sync_all());
  EXPECT_LE(statistic(*mounted_, "commits"), 30u);
  EXPECT_LE(statistic(*mounted_, "stored_stripes"), 60u);
  EXPECT_LE(statistic(*mounted_, "chunks_granted"), 3u);
  remount();
  const InodeId again = find("small");
  for (int i = 0; i < 1000; i += 7) {
    const InodeId inode = must(mounted_->lookup(again, fmt::format("f{}", i))).attributes.inode;
    ASSERT_EQ(read_all(*mounted_, inode), pattern(i, 3000 + i)) << i;
  }
}

TEST_F(FilesystemTest, SyncedAppendsEndInABoundedNumberOfExtents) {
  const auto made = make("log", {});
  const InodeId inode = made.entry.attributes.inode;
  std::vector<uint8_t> wanted;
  for (int i = 0; i < 3000; ++i) {
    const auto line = pattern(i, 60 + i % 80);
    EXPECT_EQ(must(mounted_->append(inode, line)), wanted.size());
    wanted.insert(wanted.end(), line.begin(), line.end());
    must(mounted_->sync(inode));
  }
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
  const size_t units = wanted.size() / 65536 + 1;
  EXPECT_LE(extents_of(inode), units + 20);
  must(mounted_->release(made.handle));
  remount();
  EXPECT_EQ(read_all(*mounted_, find("log")), wanted);
}

TEST_F(FilesystemTest, AZeroedRangeReadsAsZerosInEveryLayer) {
  auto wanted = pattern(1, 3 << 20);
  const auto made = make("z", wanted);
  const InodeId inode = made.entry.attributes.inode;
  must(mounted_->sync(inode));
  must(mounted_->write(inode, 1 << 20, pattern(2, 5000)));
  std::ranges::copy(pattern(2, 5000), wanted.begin() + (1 << 20));
  must(mounted_->zero_range(inode, (1 << 20) - 777, 3000, false));
  std::fill_n(wanted.begin() + (1 << 20) - 777, 3000, 0);
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
  must(mounted_->zero_range(inode, (3 << 20) - 10, 1000, true));
  std::fill_n(wanted.end() - 10, 10, 0);
  wanted.resize((3 << 20) + 990);
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
  remount();
  EXPECT_EQ(read_all(*mounted_, find("z")), wanted);
}

TEST_F(FilesystemTest, AnOpenFileOutlivesItsLastName) {
  const auto made = make("gone", pattern(1, 100000));
  const InodeId inode = made.entry.attributes.inode;
  must(mounted_->unlink(kRootInode, "gone"));
  EXPECT_EQ(mounted_->lookup(kRootInode, "gone").code(), Errc::not_found);
  EXPECT_EQ(must(mounted_->get_attributes(inode)).links, 0u);
  must(mounted_->write(inode, 50000, pattern(2, 100000)));
  must(mounted_->sync(inode));
  EXPECT_EQ(must(mounted_->get_attributes(inode)).size, 150000u);
  auto wanted = pattern(1, 100000);
  wanted.resize(150000);
  std::ranges::copy(pattern(2, 100000), wanted.begin() + 50000);
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
  must(mounted_->release(made.handle));
  EXPECT_FALSE(mounted_->open(inode, false).ok());
}

TEST_F(FilesystemTest, NamesFollowRenameLinkAndRemove) {
  const auto a = make("a", pattern(1, 10));
  const auto b = make("b", pattern(2, 20));
  must(mounted_->rename({kRootInode, "a", kRootInode, "b", 0}));
  EXPECT_EQ(mounted_->lookup(kRootInode, "a").code(), Errc::not_found);
  EXPECT_EQ(find("b"), a.entry.attributes.inode);
  EXPECT_EQ(must(mounted_->link({a.entry.attributes.inode, kRootInode, "c"})).attributes.links, 2u);
  must(mounted_->rename({kRootInode, "b", kRootInode, "c", 0}));  // the same inode: nothing changes
  EXPECT_EQ(find("b"), find("c"));
  must(mounted_->unlink(kRootInode, "b"));
  EXPECT_EQ(must(mounted_->get_attributes(a.entry.attributes.inode)).links, 1u);
  const InodeId directory = must(mounted_->make_node(directory_node("d"))).attributes.inode;
  EXPECT_EQ(mounted_->lookup(directory, "x").code(), Errc::not_found);
  must(mounted_->rename({kRootInode, "c", directory, "x", 0}));
  EXPECT_EQ(mounted_->rmdir(kRootInode, "d").code(), Errc::not_empty);
  must(mounted_->unlink(directory, "x"));
  must(mounted_->rmdir(kRootInode, "d"));
  EXPECT_EQ(mounted_->lookup(kRootInode, "d").code(), Errc::not_found);
  EXPECT_EQ(mounted_->lookup(kRootInode, std::string(300, 'n')).code(), Errc::name_too_long);
}

TEST_F(FilesystemTest, ASecondMountEndsTheCachesAndSeesEverything) {
  const auto made = make("shared", pattern(1, 70000));
  const InodeId inode = made.entry.attributes.inode;
  auto other = cluster_.mount();
  EXPECT_FALSE(other->sole());
  EXPECT_FALSE(mounted_->sole());
  EXPECT_EQ(mounted_->cache_ttl(), Duration{});
  EXPECT_EQ(read_all(*other, inode), pattern(1, 70000));
  must(other->write(inode, 0, pattern(2, 70000)));
  must(other->sync(inode));
  EXPECT_EQ(read_all(*mounted_, inode), pattern(2, 70000));
  const auto small = must(other->create(file_node("tiny")));
  must(other->write(small.entry.attributes.inode, 0, pattern(3, 50)));
  must(other->flush(small.handle));
  EXPECT_EQ(read_all(*mounted_, find("tiny")), pattern(3, 50));
  must(other->release(small.handle));
  must(other->close());
}

TEST_F(FilesystemTest, ManyWritersOfOneFileAndOfMany) {
  constexpr int kWriters = 4;
  const auto shared = make("shared", {});
  const InodeId inode = shared.entry.attributes.inode;
  std::vector<Thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back("writer", [&, writer] {
      for (int i = 0; i < 200; ++i) {
        const uint64_t offset = static_cast<uint64_t>(i * kWriters + writer) * 5000;
        must(mounted_->write(inode, offset, pattern(static_cast<uint64_t>(i * kWriters + writer), 5000)));
        if (i % 20 == writer) must(mounted_->sync(inode));
        if (i % 10 == 0) {
          const auto own = must(mounted_->create(file_node(fmt::format("w{}-{}", writer, i))));
          must(mounted_->write(own.entry.attributes.inode, 0, pattern(7, 9000)));
          must(mounted_->sync(own.entry.attributes.inode));
          must(mounted_->release(own.handle));
        }
      }
    });
  }
  for (Thread& thread : threads) thread.join();
  std::vector<uint8_t> wanted;
  for (uint64_t i = 0; i < 200 * kWriters; ++i) std::ranges::copy(pattern(i, 5000), std::back_inserter(wanted));
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
  remount();
  EXPECT_EQ(read_all(*mounted_, find("shared")), wanted);
  EXPECT_EQ(read_all(*mounted_, find("w2-190")), pattern(7, 9000));
}

// One write is one change for every reader: a reader sees one version of the whole record.
TEST_F(FilesystemTest, AReaderNeverSeesAMixtureOfTwoWrites) {
  const auto made = make("record", std::vector<uint8_t>(100000, 0));
  const InodeId inode = made.entry.attributes.inode;
  std::atomic<bool> done = false;
  Thread reader("reader", [&] {
    std::vector<uint8_t> seen(100000);
    while (!done) {
      ASSERT_EQ(must(mounted_->read(inode, 0, seen)), seen.size());
      ASSERT_EQ(std::ranges::count(seen, seen[0]), 100000);
    }
  });
  for (int i = 1; i < 150; ++i) {
    must(mounted_->write(inode, 0, std::vector<uint8_t>(100000, static_cast<uint8_t>(i))));
    if (i % 2 == 0) must(mounted_->sync(inode));
  }
  done = true;
  reader.join();
}

TEST_F(FilesystemTest, FewBytesOfMemoryAreEnoughForMuchData) {
  must(mounted_->close());
  FilesystemOptions options;
  options.dirty_bytes = 4 << 20;
  options.cache_bytes = 2 << 20;
  mounted_ = cluster_.mount(options);
  const auto made = make("big", pattern(1, 30 << 20));  // one write, larger than all memory for writes
  for (uint64_t i = 0; i < 20; ++i)
    must(mounted_->write(made.entry.attributes.inode, (30 + i) << 20, pattern(i, 1 << 20)));
  auto wanted = pattern(1, 30 << 20);
  for (uint64_t i = 0; i < 20; ++i) std::ranges::copy(pattern(i, 1 << 20), std::back_inserter(wanted));
  EXPECT_EQ(read_all(*mounted_, made.entry.attributes.inode), wanted);
}

TEST_F(FilesystemTest, NothingStaysDirtyForLong) {
  must(mounted_->close());
  FilesystemOptions options;
  options.flush_after = 50ms;
  mounted_ = cluster_.mount(options);
  (void)make("old", pattern(1, 5000));
  (void)make("old2", pattern(1, 3 << 20));
  const Instant deadline = real_clock().now() + 20s;
  while (statistic(*mounted_, "committed_files") < 2 && real_clock().now() < deadline) {
  }
  mounted_.reset();  // a crash
  mounted_ = cluster_.mount();
  EXPECT_EQ(read_all(*mounted_, find("old")), pattern(1, 5000));
  EXPECT_EQ(read_all(*mounted_, find("old2")), pattern(1, 3 << 20));
}

TEST_F(FilesystemTest, ExtendedAttributesAreKnownAbsentWithoutACall) {
  const auto made = make("x", {});
  const InodeId inode = made.entry.attributes.inode;
  EXPECT_EQ(mounted_->get_xattr(inode, "security.capability").code(), Errc::no_attribute);
  must(mounted_->set_xattr({inode, "user.a", "b", 0}));
  EXPECT_EQ(must(mounted_->get_xattr(inode, "user.a")), "b");
  must(mounted_->remove_xattr({inode, "user.a"}));
  EXPECT_EQ(mounted_->get_xattr(inode, "user.a").code(), Errc::no_attribute);
  EXPECT_EQ(must(mounted_->get_xattr(inode, "cairn.policy")).substr(0, 7), "ec(4,2)");
  EXPECT_EQ(must(mounted_->get_xattr(kRootInode, "cairn.metaserver")), cluster_.metaserver().text());
}

}  // namespace
}  // namespace cairn
