#include "client/fuse/mount_table.h"

#include <gmock/gmock.h>

namespace cairn {
namespace {

constexpr const char* kTable =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "90 22 0:57 / /mnt/cairn rw,nosuid,nodev - fuse.cairn 127.0.0.1:4000 rw,user_id=0\n"
    "91 22 0:58 / /mnt/with\\040blank\\134 rw - fuse.cairn [::1]:4000 rw\n"
    "92 90 0:59 / /mnt/cairn/inner rw - tmpfs tmpfs rw\n"
    "garbage\n"
    "\n";

TEST(MountTableTest, ReadsEveryLineThatIsOne) {
  const std::vector<MountEntry> mounts = parse_mountinfo(kTable);
  ASSERT_EQ(mounts.size(), 4u);
  EXPECT_EQ(mounts[1].device, "0:57");
  EXPECT_EQ(mounts[1].source, "127.0.0.1:4000");
  EXPECT_EQ(mounts[2].mountpoint, "/mnt/with blank\\");
}

TEST(MountTableTest, APathBelongsToTheInnermostMountAboveIt) {
  const std::vector<MountEntry> mounts = parse_mountinfo(kTable);
  EXPECT_EQ(mount_of(mounts, "/mnt/cairn/a/b")->mountpoint, "/mnt/cairn");
  EXPECT_EQ(mount_of(mounts, "/mnt/cairn")->mountpoint, "/mnt/cairn");
  EXPECT_FALSE(mount_of(mounts, "/mnt/cairn/inner/a").has_value());
  EXPECT_FALSE(mount_of(mounts, "/mnt/cairns").has_value());
  EXPECT_FALSE(mount_of(mounts, "/home").has_value());
}

TEST(MountTableTest, TheLaterOfTwoMountsAtOnePlaceIsSeen) {
  const std::vector<MountEntry> mounts = parse_mountinfo(
      "1 0 0:5 / /m rw - fuse.cairn a:1 rw\n"
      "2 0 0:6 / /m rw - fuse.cairn b:2 rw\n");
  EXPECT_EQ(mount_of(mounts, "/m/x")->source, "b:2");
}

TEST(MountTableTest, ThisMachinesTableCanBeRead) {
  const Result<std::vector<MountEntry>> mounts = read_mounts();
  ASSERT_TRUE(mounts.ok());
  EXPECT_FALSE(mounts->empty());
}

}  // namespace
}  // namespace cairn
