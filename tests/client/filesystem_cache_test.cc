// The block cache under a whole filesystem: with a disk tier, what was read or written is served without any
// chunkserver.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/random.h"
#include "tests/client/cluster_fixture.h"

namespace cairn::test {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kFileBytes = 12 * kMiB + 12345;

class FilesystemCacheTest : public testing::Test {
 protected:
  std::unique_ptr<Filesystem> mount(const std::string& directory = "cache") {
    FilesystemOptions options;
    options.cache_bytes = 4 * kMiB;
    options.cache_directory = cluster_.directory() + "/" + directory;
    options.cache_disk_bytes = 256 * kMiB;
    options.cache_keep_free_bytes = 0;
    return cluster_.mount(options);
  }
  static nlohmann::json disk_of(const Filesystem& filesystem) {
    return nlohmann::json::parse(filesystem.cache_json())["disk"];
  }
  static void settle(const Filesystem& filesystem) {
    const Instant deadline = real_clock().now() + 30s;
    while (disk_of(filesystem)["queued_bytes"] != 0) ASSERT_LT(real_clock().now(), deadline);
  }
  InodeId make_file(Filesystem& filesystem, const std::string& name, const std::vector<uint8_t>& bytes) {
    const auto created = must(filesystem.create(file_node(name)));
    const InodeId inode = created.entry.attributes.inode;
    must(filesystem.write(inode, 0, bytes));
    must(filesystem.sync(inode));
    must(filesystem.release(created.handle));
    return inode;
  }
  void kill_chunkservers() {
    for (uint32_t i = 0; i < 6; ++i) cluster_.kill_chunkserver(i);
  }
  void start_chunkservers() {
    for (uint32_t i = 0; i < 6; ++i) cluster_.start_chunkserver(i);
  }

  Cluster cluster_;
};

TEST_F(FilesystemCacheTest, WhatWasReadIsServedWithoutServersAlsoAfterARemount) {
  const std::vector<uint8_t> bytes = pattern(1, kFileBytes);
  InodeId inode{};
  {
    const auto writer = cluster_.mount();
    inode = make_file(*writer, "file", bytes);
    must(writer->close());
  }
  auto filesystem = mount();
  EXPECT_EQ(read_all(*filesystem, inode), bytes);
  settle(*filesystem);
  kill_chunkservers();
  EXPECT_EQ(read_all(*filesystem, inode), bytes);
  must(filesystem->close());
  filesystem = mount();
  EXPECT_EQ(read_all(*filesystem, inode), bytes);
  EXPECT_GT(disk_of(*filesystem)["hits"], 90);
  // Reads of any size, from any place.
  Random random(7);
  std::vector<uint8_t> out(300'000);
  for (int i = 0; i < 200; ++i) {
    const uint64_t at = random.below(kFileBytes), length = random.between(1, out.size());
    const size_t got = must(filesystem->read(inode, at, std::span(out).first(length)));
    ASSERT_TRUE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(got),
                           bytes.begin() + static_cast<std::ptrdiff_t>(at)));
  }
  must(filesystem->close());
  start_chunkservers();
}

TEST_F(FilesystemCacheTest, SmallRandomReadsAreKeptToo) {
  const std::vector<uint8_t> bytes = pattern(2, kFileBytes);
  InodeId inode{};
  {
    const auto writer = cluster_.mount();
    inode = make_file(*writer, "file", bytes);
    must(writer->close());
  }
  const auto filesystem = mount();
  std::vector<uint64_t> places;
  Random random(3);
  for (int i = 0; i < 40; ++i) places.push_back(random.below(kFileBytes - 4096));
  const auto check = [&] {
    std::vector<uint8_t> out(4096);
    for (const uint64_t at : places) {
      ASSERT_EQ(must(filesystem->read(inode, at, out)), out.size());
      ASSERT_TRUE(std::equal(out.begin(), out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at)));
    }
  };
  check();
  EXPECT_LT(disk_of(*filesystem)["entries"], 90);  // pieces and not whole stripes
  kill_chunkservers();
  check();
  // The same bytes asked for by readers that would rather have had the whole stripe.
  for (const uint64_t at : places) {
    const uint64_t from = at / 131072 * 131072;
    std::vector<uint8_t> out(4096);
    for (uint64_t step = 0; step < 4; ++step) {
      ASSERT_EQ(must(filesystem->read(inode, from + step * out.size(), out)), out.size()) << from;
    }
  }
  must(filesystem->close());
  start_chunkservers();
}

TEST_F(FilesystemCacheTest, WhatThisMountWroteIsThere) {
  const auto filesystem = mount();
  const std::vector<uint8_t> big = pattern(3, kFileBytes), small = pattern(4, 10'000);
  const InodeId one = make_file(*filesystem, "big", big), two = make_file(*filesystem, "small", small);
  settle(*filesystem);
  kill_chunkservers();
  EXPECT_EQ(read_all(*filesystem, one), big);
  EXPECT_EQ(read_all(*filesystem, two), small);
  start_chunkservers();
  must(filesystem->close());
}

TEST_F(FilesystemCacheTest, WarmFetchesAndDropEmpties) {
  const std::vector<uint8_t> bytes = pattern(5, kFileBytes);
  InodeId inode{};
  {
    const auto writer = cluster_.mount();
    inode = make_file(*writer, "file", bytes);
    must(writer->close());
  }
  const auto filesystem = mount();
  must(filesystem->warm(inode, 0, kFileBytes));
  settle(*filesystem);
  EXPECT_EQ(disk_of(*filesystem)["entries"], (kFileBytes + 131071) / 131072);
  kill_chunkservers();
  EXPECT_EQ(read_all(*filesystem, inode), bytes);
  filesystem->drop_cache();
  EXPECT_EQ(disk_of(*filesystem)["entries"], 0);
  std::vector<uint8_t> out(4096);
  EXPECT_FALSE(filesystem->read(inode, 0, out).ok());
  EXPECT_FALSE(filesystem->warm(inode, 0, kFileBytes).ok());
  start_chunkservers();
  EXPECT_EQ(read_all(*filesystem, inode), bytes);
  must(filesystem->close());
}

TEST_F(FilesystemCacheTest, ASecondMountOfTheSameDirectoryGoesWithout) {
  const auto first = mount();
  EXPECT_EQ(first->cache_trouble(), "");
  const auto second = mount();
  EXPECT_NE(second->cache_trouble().find("another mount"), std::string::npos);
  EXPECT_EQ(disk_of(*second)["state"], "failed");
  EXPECT_EQ(disk_of(*first)["state"], "good");
  const auto third = mount("other");
  EXPECT_EQ(third->cache_trouble(), "");
}

TEST_F(FilesystemCacheTest, StridedReadsComeFromMemory) {
  const std::vector<uint8_t> bytes = pattern(6, 40 * kMiB);
  InodeId inode{};
  {
    const auto writer = cluster_.mount();
    inode = make_file(*writer, "file", bytes);
    must(writer->close());
  }
  const auto filesystem = cluster_.mount();  // without a disk tier
  std::vector<uint8_t> out(16 << 10);
  for (uint64_t at = 5000; at + out.size() <= bytes.size(); at += kMiB) {
    ASSERT_EQ(must(filesystem->read(inode, at, out)), out.size());
    ASSERT_TRUE(std::equal(out.begin(), out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at)));
  }
  EXPECT_EQ(read_all(*filesystem, inode), bytes);  // the parts in memory are in nobody's way
  const auto statistics = nlohmann::json::parse(filesystem->statistics_json());
  EXPECT_GT(statistics["fetched_stripes"], 30);
  must(filesystem->close());
}

}  // namespace
}  // namespace cairn::test
