// The filesystem while servers die and come back.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/random.h"
#include "tests/client/cluster_fixture.h"

namespace cairn {
namespace {

using test::Cluster;
using test::file_node;
using test::must;
using test::pattern;
using test::read_all;

class FilesystemFaultsTest : public testing::Test {
 protected:
  InodeId make(const std::string& name, std::span<const uint8_t> content) {
    const InodeId inode = must(mounted_->create(file_node(name))).entry.attributes.inode;
    must(mounted_->write(inode, 0, content));
    return inode;
  }
  FilesystemOptions quick() {
    FilesystemOptions options;
    options.io_timeout = 10s;
    return options;
  }
  Cluster cluster_;
  std::unique_ptr<Filesystem> mounted_ = cluster_.mount(quick());
};

TEST_F(FilesystemFaultsTest, EveryFileIsReadWithTwoServersDead) {
  std::vector<InodeId> files;
  for (uint64_t i = 0; i < 30; ++i) files.push_back(make(fmt::format("f{}", i), pattern(i, 1 + i * i * 4000)));
  must(mounted_->sync_all());
  cluster_.kill_chunkserver(1);
  cluster_.kill_chunkserver(4);
  must(mounted_->close());
  mounted_ = cluster_.mount(quick());
  for (uint64_t i = 0; i < 30; ++i) ASSERT_EQ(read_all(*mounted_, files[i]), pattern(i, 1 + i * i * 4000)) << i;
}

TEST_F(FilesystemFaultsTest, WritesGoOnWhenTwoServersDieUnderThem) {
  const InodeId before = make("before", pattern(1, 3 << 20));
  must(mounted_->sync(before));
  const InodeId during = make("during", pattern(2, 2 << 20));
  cluster_.kill_chunkserver(0);
  must(mounted_->sync(during));
  const InodeId small = make("small", pattern(3, 9000));
  cluster_.kill_chunkserver(5);
  must(mounted_->sync(small));
  const InodeId after = make("after", pattern(4, 40 << 20));
  must(mounted_->sync(after));
  EXPECT_EQ(read_all(*mounted_, before), pattern(1, 3 << 20));
  EXPECT_EQ(read_all(*mounted_, during), pattern(2, 2 << 20));
  EXPECT_EQ(read_all(*mounted_, small), pattern(3, 9000));
  EXPECT_EQ(read_all(*mounted_, after), pattern(4, 40 << 20));
  must(mounted_->close());
  mounted_ = cluster_.mount(quick());
  EXPECT_EQ(read_all(*mounted_, after), pattern(4, 40 << 20));
}

TEST_F(FilesystemFaultsTest, AChunkserverRestartsUnderAStreamOfSyncedWrites) {
  std::vector<uint8_t> wanted;
  const InodeId inode = must(mounted_->create(file_node("log"))).entry.attributes.inode;
  for (uint64_t i = 0; i < 60; ++i) {
    const auto data = pattern(i, 1000 + i * 3777);
    must(mounted_->append(inode, data));
    std::ranges::copy(data, std::back_inserter(wanted));
    if (i % 3 == 0) must(mounted_->sync(inode));
    if (i % 20 == 7) {
      cluster_.kill_chunkserver(static_cast<uint32_t>(i % 6));
      cluster_.start_chunkserver(static_cast<uint32_t>(i % 6));
    }
  }
  must(mounted_->sync(inode));
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
  mounted_.reset();
  mounted_ = cluster_.mount(quick());
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
}

TEST_F(FilesystemFaultsTest, TheMetaserverRestartsInTheMiddle) {
  const InodeId inode = make("a", pattern(1, 100000));
  must(mounted_->sync(inode));
  must(mounted_->write(inode, 50000, pattern(2, 100000)));
  cluster_.kill_metaserver();
  must(mounted_->write(inode, 150000, pattern(3, 100000)));
  Thread restart("restart", [&] { cluster_.start_metaserver(); });
  const Status synced = mounted_->sync(inode);
  restart.join();
  must(synced);
  const InodeId other = make("b", pattern(4, 1000));
  must(mounted_->sync(other));
  auto wanted = pattern(1, 50000);
  wanted = pattern(1, 100000);
  wanted.resize(250000);
  std::ranges::copy(pattern(2, 100000), wanted.begin() + 50000);
  std::ranges::copy(pattern(3, 100000), wanted.begin() + 150000);
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
  mounted_.reset();
  mounted_ = cluster_.mount(quick());
  EXPECT_EQ(read_all(*mounted_, inode), wanted);
}

TEST_F(FilesystemFaultsTest, WithoutEnoughServersASyncSaysSoAndTheDataIsKept) {
  const InodeId inode = make("a", pattern(1, 100000));
  for (uint32_t i = 0; i < 6; ++i) cluster_.kill_chunkserver(i);
  const Status synced = mounted_->sync(inode);
  ASSERT_FALSE(synced.ok());
  EXPECT_EQ(read_all(*mounted_, inode), pattern(1, 100000));
  for (uint32_t i = 0; i < 6; ++i) cluster_.start_chunkserver(i);
  const Instant deadline = real_clock().now() + 60s;
  while (!mounted_->sync(inode).ok() && real_clock().now() < deadline) {
  }
  must(mounted_->sync(inode));
  mounted_.reset();
  mounted_ = cluster_.mount(quick());
  EXPECT_EQ(read_all(*mounted_, inode), pattern(1, 100000));
}

// Two of the three failure domains that ec(k,2) needs at least: no chunk can be had.
class FilesystemSpaceTest : public testing::Test {
 protected:
  static FilesystemOptions impatient() {
    FilesystemOptions options;
    options.patience = 500ms;  // these servers have all reported, or will not
    return options;
  }
  void wait_until_dropped(InodeId inode) {
    const Instant deadline = real_clock().now() + 30s;
    while (must(mounted_->get_attributes(inode)).size != 0 && real_clock().now() < deadline) {
    }
    EXPECT_EQ(must(mounted_->get_attributes(inode)).size, 0u);
  }
  Cluster cluster_{{.chunkservers = 2}};
  std::unique_ptr<Filesystem> mounted_ = cluster_.mount(impatient());
};

TEST_F(FilesystemSpaceTest, NoSpaceIsReportedAndWhatWasReportedIsDroppedInTheEnd) {
  const auto made = must(mounted_->create(file_node("full")));
  const InodeId inode = made.entry.attributes.inode;
  must(mounted_->write(inode, 0, pattern(1, 5000)));
  EXPECT_EQ(mounted_->sync(inode).code(), Errc::no_space);
  EXPECT_EQ(mounted_->write(inode, 5000, pattern(1, 10)).code(), Errc::no_space);
  EXPECT_EQ(mounted_->flush(made.handle).code(), Errc::no_space);
  EXPECT_TRUE(mounted_->flush(made.handle).ok());               // each descriptor is told once
  const auto tiny = must(mounted_->create(file_node("tiny")));  // needs no chunk
  must(mounted_->write(tiny.entry.attributes.inode, 0, pattern(2, 100)));
  must(mounted_->sync(tiny.entry.attributes.inode));
  wait_until_dropped(inode);
  must(mounted_->release(made.handle));
  must(mounted_->close());
}

// A program that synced first must not be the only one to know.
// However often it could not be stored in the background.
TEST_F(FilesystemSpaceTest, NothingIsDroppedBeforeAProgramWasToldThatThereIsNoSpace) {
  const auto made = must(mounted_->create(file_node("full")));
  const InodeId inode = made.entry.attributes.inode;
  must(mounted_->write(inode, 0, pattern(1, 5000)));
  const auto failures = [&] {
    return nlohmann::json::parse(mounted_->statistics_json()).at("flush_failures").get<uint64_t>();
  };
  const Instant deadline = real_clock().now() + 60s;
  while (failures() < 3 && real_clock().now() < deadline) std::this_thread::yield();
  ASSERT_GE(failures(), 3u);
  EXPECT_EQ(read_all(*mounted_, inode), pattern(1, 5000));
  EXPECT_EQ(mounted_->fsync(made.handle).code(), Errc::no_space);
  wait_until_dropped(inode);
  must(mounted_->release(made.handle));
  must(mounted_->close());
}

TEST_F(FilesystemSpaceTest, EveryDescriptorHearsOfALoss) {
  const auto made = must(mounted_->create(file_node("full")));
  const InodeId inode = made.entry.attributes.inode;
  const FileHandle other = must(mounted_->open(inode, false));
  must(mounted_->write(inode, 0, pattern(1, 5000)));
  EXPECT_EQ(mounted_->sync(inode).code(), Errc::no_space);
  wait_until_dropped(inode);
  const FileHandle later = must(mounted_->open(inode, false));
  for (const FileHandle handle : {made.handle, other}) {
    EXPECT_EQ(mounted_->fsync(handle).code(), Errc::no_space);
    EXPECT_TRUE(mounted_->fsync(handle).ok()) << "once";
  }
  EXPECT_TRUE(mounted_->fsync(later).ok()) << "it was opened when all was lost already";
  for (const FileHandle handle : {made.handle, other, later}) must(mounted_->release(handle));
  must(mounted_->close());
}

// As a program does that tries again with open(O_TRUNC).
TEST_F(FilesystemSpaceTest, AFileThatIsEmptiedAfterTheDiskWasFullCanBeWrittenAgain) {
  const InodeId inode = must(mounted_->create(file_node("full"))).entry.attributes.inode;
  must(mounted_->write(inode, 0, pattern(1, 5000)));
  EXPECT_EQ(mounted_->sync(inode).code(), Errc::no_space);
  EXPECT_EQ(mounted_->write(inode, 5000, pattern(1, 10)).code(), Errc::no_space);
  SetAttributes emptied;
  emptied.inode = inode;
  emptied.size = 0;
  must(mounted_->set_attributes(emptied));
  must(mounted_->write(inode, 0, pattern(2, 100)));  // few bytes need no chunk
  must(mounted_->sync(inode));
  EXPECT_EQ(read_all(*mounted_, inode), pattern(2, 100));
  must(mounted_->close());
}

TEST_F(FilesystemSpaceTest, ARemovedFileTakesItsUnwritableDataWithIt) {
  const auto made = must(mounted_->create(file_node("full")));
  must(mounted_->write(made.entry.attributes.inode, 0, pattern(1, 5000)));
  must(mounted_->release(made.handle));
  must(mounted_->unlink(kRootInode, "full"));
  must(mounted_->close());
}

}  // namespace
}  // namespace cairn
