// chmod, chown, truncate, utimens, and extended attributes with cairn.policy.
#include <gmock/gmock.h>

#include "invariants.h"
#include "machine.h"

namespace cairn {
namespace {

class AttributesTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(violations(*machine.view()), ""); }
  SetAttributes of(InodeId inode) {
    SetAttributes request;
    request.inode = inode;
    return request;
  }
  Attributes set(const SetAttributes& request) {
    const auto attributes = machine.call<Attributes>(session, request);
    EXPECT_TRUE(attributes.ok()) << (attributes.ok() ? "" : attributes.error().what);
    return attributes.ok() ? *attributes : Attributes{};
  }
  Machine machine;
  SessionId session = machine.open_session();
  InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
  InodeId directory = machine.make(session, kRootInode, "d", S_IFDIR | 0755).attributes.inode;
};

TEST_F(AttributesTest, ChmodChangesThePermissionsAndCtimeOnly) {
  machine.wall_ns = 3000 * kSecond + 1;
  SetAttributes request = of(file);
  request.mode = S_IFDIR | 06711;
  const Attributes a = set(request);
  EXPECT_EQ(a.mode, static_cast<uint32_t>(S_IFREG | 06711)) << "the type stays";
  EXPECT_EQ(a.ctime, (Time{3000, 1}));
  EXPECT_EQ(a.mtime, (Time{1000, 0}));
}

TEST_F(AttributesTest, EachChangeGivesANewVersion) {
  const uint64_t before = machine.inode(file).attributes.version;
  SetAttributes request = of(file);
  request.uid = 1;
  const uint64_t after = set(request).version;
  EXPECT_GT(after, before);
  EXPECT_EQ(machine.inode(file).attributes.version, after);
}

TEST_F(AttributesTest, ChownClearsSetuidAndSetgidAsLinuxDoes) {
  const auto mode_after = [&](InodeId inode, uint32_t mode) {
    SetAttributes chmod = of(inode), chown = of(inode);
    chmod.mode = mode;
    chown.gid = 5;
    set(chmod);
    return set(chown).mode & 07777;
  };
  EXPECT_EQ(mode_after(file, 06755), 0755u);
  EXPECT_EQ(mode_after(file, 06745), 02745u) << "without group execute it marks mandatory locks";
  EXPECT_EQ(mode_after(directory, 06755), 06755u);
  SetAttributes both = of(file);
  both.uid = 8;
  both.mode = 04755;
  EXPECT_EQ(set(both).mode & 07777, 04755u);
}

TEST_F(AttributesTest, TimesAreSetAsGivenAndChecked) {
  SetAttributes request = of(file);
  request.atime = Time{-5, 1};
  request.mtime = Time{6, 2};
  request.ctime = Time{7, 3};
  const Attributes a = set(request);
  EXPECT_EQ(a.atime, (Time{-5, 1}));
  EXPECT_EQ(a.mtime, (Time{6, 2}));
  EXPECT_EQ(a.ctime, (Time{7, 3}));
  request.atime = Time{0, 1'000'000'000};
  EXPECT_EQ(machine.code(session, request), Errc::invalid);
}

TEST_F(AttributesTest, SizesAreForRegularFilesAndBounded) {
  SetAttributes request = of(file);
  request.size = kMaxFileBytes;
  machine.wall_ns = 4000 * kSecond;
  EXPECT_EQ(set(request).size, kMaxFileBytes);
  EXPECT_EQ(machine.inode(file).attributes.mtime, (Time{4000, 0}));
  request.size = kMaxFileBytes + 1;
  EXPECT_EQ(machine.code(session, request), Errc::too_big);
  request.size = 0;
  request.inode = directory;
  EXPECT_EQ(machine.code(session, request), Errc::is_directory);
  request.inode = machine.make(session, kRootInode, "fifo", S_IFIFO | 0644).attributes.inode;
  EXPECT_EQ(machine.code(session, request), Errc::invalid);
  request.inode = InodeId{999};
  EXPECT_EQ(machine.code(session, request), Errc::stale_handle);
}

TEST_F(AttributesTest, XattrsAreSetReadListedAndRemoved) {
  ASSERT_TRUE(machine.done(session, SetXattr{file, "user.b", std::string("\0x", 2), 0}).ok());
  ASSERT_TRUE(machine.done(session, SetXattr{file, "user.a", "", 1}).ok());
  EXPECT_EQ(*queries::xattr(*machine.view(), file, "user.b"), std::string("\0x", 2));
  EXPECT_EQ(*queries::xattr(*machine.view(), file, "user.a"), "");
  EXPECT_THAT(*queries::xattr_names(*machine.view(), file), testing::ElementsAre("user.a", "user.b"));
  EXPECT_EQ(machine.code(session, SetXattr{file, "user.a", "x", 1}), Errc::exists);
  EXPECT_EQ(machine.code(session, SetXattr{file, "user.c", "x", 2}), Errc::no_attribute);
  EXPECT_TRUE(machine.done(session, SetXattr{file, "user.a", "longer", 2}).ok());
  EXPECT_TRUE(machine.done(session, RemoveXattr{file, "user.b"}).ok());
  EXPECT_EQ(machine.code(session, RemoveXattr{file, "user.b"}), Errc::no_attribute);
  EXPECT_EQ(queries::xattr(*machine.view(), file, "user.b").code(), Errc::no_attribute);
  EXPECT_THAT(*queries::xattr_names(*machine.view(), file), testing::ElementsAre("user.a"));
}

TEST_F(AttributesTest, XattrsHaveLimits) {
  EXPECT_EQ(machine.code(session, SetXattr{file, "", "x", 0}), Errc::too_big);
  EXPECT_EQ(machine.code(session, SetXattr{file, "user." + std::string(251, 'x'), "x", 0}), Errc::too_big);
  EXPECT_TRUE(
      machine.done(session, SetXattr{file, "user." + std::string(250, 'x'), std::string(kMaxXattrBytes, 'v'), 0}).ok());
  EXPECT_EQ(machine.code(session, SetXattr{file, "user.big", std::string(kMaxXattrBytes + 1, 'v'), 0}), Errc::too_big);
  EXPECT_EQ(machine.code(session, SetXattr{file, "user.a", "x", 4}), Errc::invalid);
  EXPECT_EQ(machine.code(session, SetXattr{file, "system.posix_acl_access", "x", 0}), Errc::not_supported);
  EXPECT_EQ(machine.code(session, SetXattr{file, "user.", "x", 0}), Errc::not_supported);
  for (int i = 0; i < 15; ++i)
    EXPECT_TRUE(
        machine.done(session, SetXattr{file, fmt::format("user.{}", i), std::string(kMaxXattrBytes, 'v'), 0}).ok());
  EXPECT_EQ(machine.code(session, SetXattr{file, "user.one too many", "x", 0}), Errc::no_space);
  EXPECT_EQ(machine.code(session, SetXattr{InodeId{999}, "user.a", "x", 0}), Errc::stale_handle);
}

TEST_F(AttributesTest, APolicyIsInheritedFromTheDirectoryAndReadEverywhere) {
  const auto policy = [&](InodeId inode) { return *queries::xattr(*machine.view(), inode, "cairn.policy"); };
  EXPECT_EQ(policy(kRootInode), "ec(4,2)");
  ASSERT_TRUE(machine.done(session, SetXattr{directory, "cairn.policy", "ec(2,1)/64K", 0}).ok());
  EXPECT_EQ(policy(directory), "ec(2,1)/64K");
  const Entry inside = machine.make(session, directory, "inside");
  EXPECT_EQ(policy(inside.attributes.inode), "ec(2,1)/64K");
  EXPECT_NE(inside.attributes.storage_class, kDefaultClass);
  EXPECT_EQ(policy(file), "ec(4,2)");
  ASSERT_TRUE(machine.done(session, SetXattr{file, "cairn.policy", "ec(2,1)/64K/host", 0}).ok());
  EXPECT_EQ(machine.inode(file).attributes.storage_class, inside.attributes.storage_class)
      << "the same class is found again";
  EXPECT_EQ(queries::classes(*machine.view())->size(), 2u);
  EXPECT_TRUE(queries::xattr_names(*machine.view(), directory)->empty());
}

TEST_F(AttributesTest, APolicyIsRefusedWhereItCannotApply) {
  const InodeId fifo = machine.make(session, kRootInode, "fifo", S_IFIFO | 0644).attributes.inode;
  EXPECT_EQ(machine.code(session, SetXattr{fifo, "cairn.policy", "ec(2,1)", 0}), Errc::not_supported);
  EXPECT_EQ(machine.code(session, SetXattr{file, "cairn.policy", "raid5", 0}), Errc::invalid);
  EXPECT_EQ(machine.code(session, SetXattr{file, "cairn.policy", "ec(2,1)", 1}), Errc::exists);
  EXPECT_EQ(machine.code(session, SetXattr{file, "cairn.other", "x", 0}), Errc::not_permitted);
  EXPECT_EQ(machine.code(session, RemoveXattr{file, "cairn.policy"}), Errc::not_permitted);
  SetAttributes grow = of(file);
  grow.size = 1;
  set(grow);
  EXPECT_EQ(machine.code(session, SetXattr{file, "cairn.policy", "ec(2,1)", 0}), Errc::invalid);
}

}  // namespace
}  // namespace cairn
