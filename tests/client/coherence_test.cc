// Two mounts of one cluster in this process: each sees at once what the other's finished call did.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "common/base/thread.h"
#include "tests/client/cluster_fixture.h"

namespace cairn::test {
namespace {

class CoherenceTest : public testing::Test {
 protected:
  CoherenceTest() : a_(cluster_.mount()), b_(cluster_.mount()) {}
  void TearDown() override {
    if (a_) must(a_->close());
    if (b_) must(b_->close());
  }
  static uint64_t counter(const Filesystem& filesystem, const char* name) {
    return nlohmann::json::parse(filesystem.statistics_json()).at(name).get<uint64_t>();
  }
  static std::vector<uint8_t> text(const std::string& words) { return {words.begin(), words.end()}; }
  static std::string words(Filesystem& filesystem, InodeId inode) {
    const std::vector<uint8_t> all = read_all(filesystem, inode);
    return {all.begin(), all.end()};
  }

  Cluster cluster_;
  std::unique_ptr<Filesystem> a_, b_;
};

TEST_F(CoherenceTest, BytesSizesNamesAndModesAreSeenAtOnceWithoutAnyFsync) {
  const auto made = must(a_->create(file_node("file")));
  const InodeId inode = made.entry.attributes.inode;
  for (int round = 0; round < 50; ++round) {
    const std::string first = "from a, round " + std::to_string(round) + std::string(round * 100, 'a');
    must(a_->write(inode, 0, text(first)));
    ASSERT_EQ(words(*b_, inode).substr(0, first.size()), first);
    const std::string second = "from b, " + std::to_string(round);
    must(b_->write(inode, 10, text(second)));
    ASSERT_EQ(words(*a_, inode).substr(10, second.size()), second);
  }
  SetAttributes mode;
  mode.inode = inode;
  mode.mode = 0600;
  must(b_->set_attributes(mode));
  EXPECT_EQ(must(a_->get_attributes(inode)).mode & 07777, 0600u);
  EXPECT_EQ(a_->lookup(kRootInode, "later").code(), Errc::not_found);
  must(b_->rename({kRootInode, "file", kRootInode, "later", 0}));
  EXPECT_EQ(must(a_->lookup(kRootInode, "later")).attributes.inode, inode);
  EXPECT_EQ(a_->lookup(kRootInode, "file").code(), Errc::not_found);
  must(a_->release(made.handle));
}

TEST_F(CoherenceTest, WhatIsLeasedIsAnsweredWithoutAMessage) {
  const auto made = must(a_->create(file_node("file")));
  const InodeId inode = made.entry.attributes.inode;
  must(a_->write(inode, 0, pattern(1, 300'000)));
  must(b_->lookup(kRootInode, "file"));
  (void)read_all(*b_, inode);
  EXPECT_EQ(b_->lookup(kRootInode, "absent").code(), Errc::not_found);
  const uint64_t names = counter(*b_, "name_misses"), attributes = counter(*b_, "attribute_misses"),
                 layouts = counter(*b_, "layout_fetches");
  for (int i = 0; i < 100; ++i) {
    must(b_->lookup(kRootInode, "file"));
    EXPECT_EQ(b_->lookup(kRootInode, "absent").code(), Errc::not_found);
    const FileHandle handle = must(b_->open(inode, false, false));
    (void)read_all(*b_, inode);
    must(b_->release(handle));
  }
  EXPECT_EQ(counter(*b_, "name_misses"), names);
  EXPECT_EQ(counter(*b_, "attribute_misses"), attributes);
  EXPECT_EQ(counter(*b_, "layout_fetches"), layouts);
  must(a_->release(made.handle));
}

TEST_F(CoherenceTest, AppendsFromBothMountsLoseNothingAndDoNotMix) {
  const auto made = must(a_->create(file_node("log")));
  const InodeId inode = made.entry.attributes.inode;
  constexpr int kRecords = 100;
  const auto append = [&](Filesystem& filesystem, char who) {
    for (int i = 0; i < kRecords; ++i) must(filesystem.append(inode, text(std::string(20, who) + "\n")));
  };
  {
    Thread first("a1", [&] { append(*a_, 'a'); });
    Thread second("a2", [&] { append(*a_, 'b'); });
    Thread third("b1", [&] { append(*b_, 'c'); });
    Thread fourth("b2", [&] { append(*b_, 'd'); });
  }
  const std::string all = words(*a_, inode);
  EXPECT_EQ(all, words(*b_, inode));
  ASSERT_EQ(all.size(), size_t{4} * kRecords * 21);
  std::map<char, int> records;
  for (size_t at = 0; at < all.size(); at += 21) {
    ASSERT_EQ(all.substr(at, 21), std::string(20, all[at]) + "\n");
    ++records[all[at]];
  }
  for (const char who : {'a', 'b', 'c', 'd'}) EXPECT_EQ(records[who], kRecords);
  must(a_->release(made.handle));
}

TEST_F(CoherenceTest, AFileThatAnotherMountRemovesLivesOnWhereItIsOpen) {
  const auto made = must(a_->create(file_node("gone")));
  const InodeId inode = made.entry.attributes.inode;
  must(a_->write(inode, 0, text("still here")));
  must(a_->release(made.handle));
  const FileHandle open = must(b_->open(inode, false));
  must(a_->unlink(kRootInode, "gone"));
  must(a_->sync_all());
  EXPECT_EQ(must(b_->get_attributes(inode)).links, 0u);
  must(b_->write(inode, 10, text(", and changed")));
  must(b_->sync(inode));
  EXPECT_EQ(words(*b_, inode), "still here, and changed");
  must(b_->release(open));
  MetaClient looker(real_network(), real_clock(), cluster_.metaserver());
  const Instant deadline = real_clock().now() + 20s;
  while (must(looker.status()).inodes > 1 && real_clock().now() < deadline) {
  }
  EXPECT_EQ(must(looker.status()).inodes, 1u) << "the root is left: it is freed when it is closed";
}

TEST_F(CoherenceTest, ARestartOfTheMetaserverTakesNoLeaseAndNoByte) {
  const auto made = must(a_->create(file_node("file")));
  const InodeId inode = made.entry.attributes.inode;
  const FileHandle other = must(b_->open(inode, false));
  for (int round = 0; round < 3; ++round) {
    const std::string before = "written before restart " + std::to_string(round);
    must(a_->write(inode, 0, text(before)));  // buffered under a lease that the next metaserver does not know
    cluster_.kill_metaserver();
    cluster_.start_metaserver();
    ASSERT_EQ(words(*b_, inode), before);
    must(b_->write(inode, 0, text("WRITTEN")));
    ASSERT_EQ(words(*a_, inode).substr(0, 7), "WRITTEN");
  }
  must(a_->unlink(kRootInode, "file"));
  must(b_->write(inode, 0, text("Written")));
  EXPECT_EQ(words(*b_, inode).substr(0, 7), "Written");
  must(a_->release(made.handle));
  must(b_->release(other));
}

}  // namespace
}  // namespace cairn::test
