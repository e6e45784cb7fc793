// The judge itself: a judge that accepts everything would find nothing.
#include "tests/campaign/oracle.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

using Bytes = FileModel::Bytes;

TEST(FileModelTest, AcknowledgedBytesMustStay) {
  FileModel file;
  file.write(0, Bytes(10, 1));
  file.acknowledge(file.mark());
  EXPECT_FALSE(file.objection(Bytes(10, 1)));
  EXPECT_TRUE(file.objection(Bytes(10, 0)));
  EXPECT_TRUE(file.objection(Bytes(9, 1)));
  EXPECT_TRUE(file.objection(Bytes{}));
}

TEST(FileModelTest, PendingWritesMayBeThereButWhole) {
  FileModel file;
  file.write(0, Bytes(10, 1));
  file.acknowledge(file.mark());
  file.write(5, Bytes(10, 2));
  Bytes both(15, 1);
  std::fill(both.begin() + 5, both.end(), uint8_t{2});
  EXPECT_FALSE(file.objection(Bytes(10, 1)));
  EXPECT_FALSE(file.objection(both));
  both[7] = 1;
  EXPECT_TRUE(file.objection(both)) << "torn";
  both[7] = 3;
  EXPECT_TRUE(file.objection(both)) << "bytes that nobody wrote";
}

TEST(FileModelTest, APendingTruncationMayHaveHappened) {
  FileModel file;
  file.write(0, Bytes(10, 1));
  file.acknowledge(file.mark());
  file.truncate(4);
  file.truncate(8);
  Bytes cut(8, 0);
  std::fill(cut.begin(), cut.begin() + 4, uint8_t{1});
  EXPECT_FALSE(file.objection(cut));
  EXPECT_FALSE(file.objection(Bytes(4, 1)));
  EXPECT_FALSE(file.objection(Bytes(10, 1)));
  EXPECT_TRUE(file.objection(Bytes(6, 1)));
  file.acknowledge(file.mark());
  EXPECT_FALSE(file.objection(cut));
  EXPECT_TRUE(file.objection(Bytes(10, 1)));
}

TEST(DirectoryModelTest, TheChangeUnderWayHasHappenedOrNot) {
  DirectoryModel directory;
  const auto a = std::make_shared<FileModel>(), b = std::make_shared<FileModel>();
  a->inode = InodeId{5};
  directory.begin({{"a", a}});
  directory.done();
  for (const bool happened : {false, true}) {
    DirectoryModel copy = directory;
    copy.begin({{"a", a}, {"b", b}});
    std::map<std::string, InodeId> seen{{"a", InodeId{5}}};
    if (happened) seen.emplace("b", InodeId{6});
    EXPECT_TRUE(copy.settle(seen));
    EXPECT_EQ(copy.names().size(), happened ? 2u : 1u);
  }
  EXPECT_FALSE(directory.settle({{"a", InodeId{6}}}));
  EXPECT_FALSE(directory.settle({}));
}

}  // namespace
}  // namespace cairn
