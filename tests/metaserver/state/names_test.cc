// Names: make, link, remove, rename, and what they do to links, sizes and times.
#include <gmock/gmock.h>

#include "invariants.h"
#include "machine.h"

namespace cairn {
namespace {

class NamesTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(violations(*machine.view()), ""); }
  Result<Entry> make_node(MakeNode request) { return machine.call<Entry>(session, request); }
  Machine machine;
  SessionId session = machine.open_session();
};

TEST_F(NamesTest, ANewFileHasItsOwnersModeAndTimeAndItsParentGrows) {
  machine.wall_ns = 2000 * kSecond + 7;
  const Result<Entry> entry = make_node(
      {.parent = kRootInode, .name = "f", .mode = S_IFREG | 04755, .uid = 1000, .gid = 100, .rdev = 9, .target = ""});
  ASSERT_TRUE(entry.ok());
  const Attributes& a = entry->attributes;
  EXPECT_EQ(a.mode, static_cast<uint32_t>(S_IFREG | 04755));
  EXPECT_EQ(a.links, 1u);
  EXPECT_EQ(a.uid, 1000u);
  EXPECT_EQ(a.gid, 100u);
  EXPECT_EQ(a.rdev, 0u) << "only devices have one";
  EXPECT_EQ(a.mtime, (Time{2000, 7}));
  EXPECT_EQ(a.storage_class, kDefaultClass);
  EXPECT_EQ(entry->cookie, 3u);
  const Attributes root = machine.inode(kRootInode).attributes;
  EXPECT_EQ(root.size, 1u);
  EXPECT_EQ(root.links, 2u);
  EXPECT_EQ(root.mtime, (Time{2000, 7}));
  EXPECT_EQ(root.ctime, (Time{2000, 7}));
  EXPECT_EQ(queries::lookup(*machine.view(), kRootInode, "f")->attributes, a);
}

TEST_F(NamesTest, TypelessModeIsARegularFileAndUnknownTypesAreRefused) {
  EXPECT_TRUE(S_ISREG(machine.make(session, kRootInode, "plain", 0600).attributes.mode));
  EXPECT_EQ(machine.code(session, node(kRootInode, "x", 0110000)), Errc::invalid);
  EXPECT_EQ(machine.code(session, node(kRootInode, "x", 1u << 20 | S_IFREG)), Errc::invalid);
}

TEST_F(NamesTest, ASetgidDirectoryGivesItsGroupAndDirectoriesTheBit) {
  const Entry shared = *make_node(
      {.parent = kRootInode, .name = "shared", .mode = S_IFDIR | 02775, .uid = 0, .gid = 50, .rdev = 0, .target = ""});
  const Entry file = *make_node({.parent = shared.attributes.inode,
                                 .name = "f",
                                 .mode = S_IFREG | 0644,
                                 .uid = 7,
                                 .gid = 7,
                                 .rdev = 0,
                                 .target = ""});
  EXPECT_EQ(file.attributes.gid, 50u);
  EXPECT_EQ(file.attributes.mode & 07777, 0644u);
  const Entry below = *make_node({.parent = shared.attributes.inode,
                                  .name = "d",
                                  .mode = S_IFDIR | 0755,
                                  .uid = 7,
                                  .gid = 7,
                                  .rdev = 0,
                                  .target = ""});
  EXPECT_EQ(below.attributes.gid, 50u);
  EXPECT_EQ(below.attributes.mode & 07777, 02755u);
}

TEST_F(NamesTest, DirectoriesCountSubdirectoriesAsLinksAndEntriesAsSize) {
  const InodeId a = machine.make(session, kRootInode, "a", S_IFDIR | 0755).attributes.inode;
  machine.make(session, a, "b", S_IFDIR | 0755);
  machine.make(session, a, "c", S_IFDIR | 0755);
  machine.make(session, a, "f");
  EXPECT_EQ(machine.inode(a).attributes.links, 4u);
  EXPECT_EQ(machine.inode(a).attributes.size, 3u);
  EXPECT_TRUE(machine.done(session, RemoveName{a, "b", true}).ok());
  EXPECT_EQ(machine.inode(a).attributes.links, 3u);
}

TEST_F(NamesTest, NamesAreChecked) {
  const auto code = [&](const std::string& name) { return machine.code(session, node(kRootInode, name, S_IFREG)); };
  EXPECT_EQ(code(""), Errc::not_found);
  EXPECT_EQ(code("."), Errc::invalid);
  EXPECT_EQ(code(".."), Errc::invalid);
  EXPECT_EQ(code("a/b"), Errc::invalid);
  EXPECT_EQ(code(std::string("a\0b", 3)), Errc::invalid);
  EXPECT_EQ(code(std::string(256, 'x')), Errc::name_too_long);
  machine.make(session, kRootInode, std::string(255, 'x'));
  EXPECT_EQ(code(std::string(255, 'x')), Errc::exists);
}

TEST_F(NamesTest, ParentsMustBeDirectoriesThatExist) {
  const InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
  EXPECT_EQ(machine.code(session, node(file, "x", S_IFREG)), Errc::not_directory);
  EXPECT_EQ(machine.code(session, node(InodeId{999}, "x", S_IFREG)), Errc::stale_handle);
  const InodeId gone = machine.make(session, kRootInode, "d", S_IFDIR).attributes.inode;
  ASSERT_TRUE(machine.done(session, RemoveName{kRootInode, "d", true}).ok());
  EXPECT_EQ(machine.code(session, node(gone, "x", S_IFREG)), Errc::not_found);
}

TEST_F(NamesTest, SymlinksKeepTheirTarget) {
  const InodeId link = machine.make(session, kRootInode, "l", S_IFLNK | 0777).attributes.inode;
  EXPECT_EQ(*queries::readlink(*machine.view(), link), "elsewhere");
  EXPECT_EQ(machine.inode(link).attributes.size, 9u);
  EXPECT_EQ(machine.code(session, node(kRootInode, "x", S_IFLNK)), Errc::not_found);
  EXPECT_EQ(machine.code(session, node(kRootInode, "x", S_IFLNK, std::string(4096, 'x'))), Errc::name_too_long);
  EXPECT_EQ(queries::readlink(*machine.view(), kRootInode).code(), Errc::invalid);
}

TEST_F(NamesTest, LinksCountAndTheLastUnlinkPinsTheInodeToItsSession) {
  const InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
  machine.wall_ns += kSecond;
  const auto linked = machine.call<Entry>(session, LinkNode{file, kRootInode, "g"});
  ASSERT_TRUE(linked.ok());
  EXPECT_EQ(linked->attributes.links, 2u);
  EXPECT_EQ(linked->attributes.ctime, (Time{1001, 0}));
  EXPECT_EQ(linked->attributes.mtime, (Time{1000, 0}));

  EXPECT_EQ(machine.call<Removed>(session, RemoveName{kRootInode, "f", false})->links_left, 1u);
  const auto removed = machine.call<Removed>(session, RemoveName{kRootInode, "g", false});
  EXPECT_EQ(removed->links_left, 0u);
  EXPECT_EQ(removed->inode, file);
  EXPECT_TRUE(queries::attributes(*machine.view(), file).ok()) << "still open, perhaps";
  EXPECT_EQ(machine.code(session, LinkNode{file, kRootInode, "again"}), Errc::not_found);

  ASSERT_TRUE(machine.done(machine.open_session(), ForgetOrphans{{file}}).ok());
  EXPECT_TRUE(queries::attributes(*machine.view(), file).ok()) << "pinned to another session";
  ASSERT_TRUE(machine.done(session, ForgetOrphans{{file}}).ok());
  EXPECT_EQ(queries::attributes(*machine.view(), file).code(), Errc::stale_handle);
  EXPECT_EQ(machine.counters().inodes, 1u);
}

TEST_F(NamesTest, AnEndingSessionFreesItsOrphans) {
  const InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
  ASSERT_TRUE(machine.done(session, SetXattr{file, "user.a", "b", 0}).ok());
  ASSERT_TRUE(machine.done(session, RemoveName{kRootInode, "f", false}).ok());
  ASSERT_TRUE(machine.done({}, EndSession{session, true}).ok());
  EXPECT_EQ(queries::attributes(*machine.view(), file).code(), Errc::stale_handle);
  EXPECT_EQ(machine.code(session, node(kRootInode, "x", S_IFREG)), Errc::no_session);
}

TEST_F(NamesTest, RemoveTellsFilesFromDirectories) {
  machine.make(session, kRootInode, "f");
  const InodeId directory = machine.make(session, kRootInode, "d", S_IFDIR).attributes.inode;
  machine.make(session, directory, "x");
  EXPECT_EQ(machine.code(session, RemoveName{kRootInode, "f", true}), Errc::not_directory);
  EXPECT_EQ(machine.code(session, RemoveName{kRootInode, "d", false}), Errc::is_directory);
  EXPECT_EQ(machine.code(session, RemoveName{kRootInode, "d", true}), Errc::not_empty);
  EXPECT_EQ(machine.code(session, RemoveName{kRootInode, "none", false}), Errc::not_found);
}

TEST_F(NamesTest, LinksAreRefusedForDirectoriesAndBeyondTheLimit) {
  const InodeId directory = machine.make(session, kRootInode, "d", S_IFDIR).attributes.inode;
  EXPECT_EQ(machine.code(session, LinkNode{directory, kRootInode, "x"}), Errc::not_permitted);
  const InodeId file = machine.make(session, directory, "f").attributes.inode;
  EXPECT_EQ(machine.code(session, LinkNode{file, directory, "f"}), Errc::exists);
  for (uint32_t i = 1; i < kMaxLinks; ++i)
    ASSERT_TRUE(machine.done({}, LinkNode{file, directory, std::to_string(i)}).ok());
  EXPECT_EQ(machine.code(session, LinkNode{file, directory, "one more"}), Errc::too_many_links);
}

TEST_F(NamesTest, RenameMovesDirectoriesWithTheirLinks) {
  const InodeId a = machine.make(session, kRootInode, "a", S_IFDIR).attributes.inode;
  const InodeId b = machine.make(session, kRootInode, "b", S_IFDIR).attributes.inode;
  const InodeId moved = machine.make(session, a, "m", S_IFDIR).attributes.inode;
  machine.wall_ns += kSecond;
  const auto renamed = machine.call<Renamed>(session, Rename{a, "m", b, "n", 0});
  ASSERT_TRUE(renamed.ok());
  EXPECT_EQ(renamed->moved.inode, moved);
  EXPECT_EQ(renamed->moved.ctime, (Time{1001, 0}));
  EXPECT_EQ(raw(renamed->replaced), 0u);
  EXPECT_EQ(machine.inode(a).attributes.links, 2u);
  EXPECT_EQ(machine.inode(b).attributes.links, 3u);
  EXPECT_EQ(queries::directory(*machine.view(), moved, 0, 10)->parent, b);
}

TEST_F(NamesTest, RenameReplacesAndTellsWhatLostItsName) {
  const InodeId f = machine.make(session, kRootInode, "f").attributes.inode;
  const Entry g = machine.make(session, kRootInode, "g");
  ASSERT_TRUE(machine.done(session, LinkNode{g.attributes.inode, kRootInode, "h"}).ok());
  auto renamed = machine.call<Renamed>(session, Rename{kRootInode, "f", kRootInode, "g", 0});
  ASSERT_TRUE(renamed.ok());
  EXPECT_EQ(renamed->replaced, g.attributes.inode);
  EXPECT_EQ(renamed->replaced_links_left, 1u);
  EXPECT_EQ(queries::lookup(*machine.view(), kRootInode, "g")->attributes.inode, f);
  EXPECT_EQ(queries::lookup(*machine.view(), kRootInode, "g")->cookie, g.cookie)
      << "the name keeps its place in the listing";
  renamed = machine.call<Renamed>(session, Rename{kRootInode, "g", kRootInode, "h", 0});
  EXPECT_EQ(renamed->replaced_links_left, 0u);
  EXPECT_EQ(machine.inode(kRootInode).attributes.size, 1u);
}

TEST_F(NamesTest, RenameRefusesWhatLinuxRefuses) {
  const InodeId a = machine.make(session, kRootInode, "a", S_IFDIR).attributes.inode;
  const InodeId b = machine.make(session, a, "b", S_IFDIR).attributes.inode;
  machine.make(session, kRootInode, "f");
  machine.make(session, kRootInode, "e", S_IFDIR);
  const auto code = [&](InodeId from, const char* old_name, InodeId to, const char* new_name, uint32_t flags = 0) {
    return machine.code(session, Rename{from, old_name, to, new_name, flags});
  };
  EXPECT_EQ(code(kRootInode, "a", a, "x"), Errc::invalid);
  EXPECT_EQ(code(kRootInode, "a", b, "x"), Errc::invalid);
  EXPECT_EQ(code(kRootInode, "a", a, "b", 2), Errc::invalid) << "exchanged, it would be in itself";
  EXPECT_EQ(code(kRootInode, "e", kRootInode, "f"), Errc::not_directory);
  EXPECT_EQ(code(kRootInode, "f", kRootInode, "e"), Errc::is_directory);
  EXPECT_EQ(code(kRootInode, "e", kRootInode, "a"), Errc::not_empty);
  EXPECT_EQ(code(kRootInode, "f", kRootInode, "a", 1), Errc::exists);
  EXPECT_EQ(code(kRootInode, "f", kRootInode, "f", 1), Errc::exists);
  EXPECT_EQ(code(kRootInode, "f", kRootInode, "none", 2), Errc::not_found);
  EXPECT_EQ(code(kRootInode, "none", kRootInode, "f"), Errc::not_found);
  EXPECT_EQ(code(kRootInode, "f", kRootInode, "x", 3), Errc::invalid);
  EXPECT_EQ(code(kRootInode, "f", kRootInode, "x", 4), Errc::invalid);
  EXPECT_TRUE(machine.done(session, Rename{kRootInode, "f", kRootInode, "f", 0}).ok());
}

TEST_F(NamesTest, ExchangeSwapsEvenDifferentKindsAcrossDirectories) {
  const InodeId a = machine.make(session, kRootInode, "a", S_IFDIR).attributes.inode;
  const InodeId sub = machine.make(session, a, "sub", S_IFDIR).attributes.inode;
  const InodeId file = machine.make(session, kRootInode, "file").attributes.inode;
  ASSERT_TRUE(machine.done(session, Rename{a, "sub", kRootInode, "file", 2}).ok());
  EXPECT_EQ(queries::lookup(*machine.view(), kRootInode, "file")->attributes.inode, sub);
  EXPECT_EQ(queries::lookup(*machine.view(), a, "sub")->attributes.inode, file);
  EXPECT_EQ(machine.inode(a).attributes.links, 2u);
  EXPECT_EQ(machine.inode(kRootInode).attributes.links, 4u);
  EXPECT_EQ(machine.inode(sub).parent, kRootInode);
}

TEST_F(NamesTest, ListingsGoByCookieInPagesAndSurviveChanges) {
  for (int i = 0; i < 10; ++i) machine.make(session, kRootInode, "n" + std::to_string(9 - i));
  std::vector<std::string> names;
  uint64_t after = 0;
  for (bool complete = false; !complete;) {
    const auto page = queries::directory(*machine.view(), kRootInode, after, 3);
    ASSERT_TRUE(page.ok());
    for (const Entry& entry : page->entries) {
      names.push_back(entry.name);
      after = entry.cookie;
      EXPECT_EQ(entry.attributes.links, 1u);
    }
    complete = page->complete;
    if (names.size() == 3) {  // behind us
      ASSERT_TRUE(machine.done(session, RemoveName{kRootInode, "n7", false}).ok());
    }
    if (names.size() == 6) {  // in front of us
      ASSERT_TRUE(machine.done(session, RemoveName{kRootInode, "n2", false}).ok());
    }
  }
  EXPECT_THAT(names, testing::ElementsAre("n9", "n8", "n7", "n6", "n5", "n4", "n3", "n1", "n0"));
  EXPECT_TRUE(queries::directory(*machine.view(), kRootInode, UINT64_MAX, 5)->complete);
  EXPECT_EQ(queries::directory(*machine.view(), InodeId{999}, 0, 5).code(), Errc::stale_handle);
}

TEST_F(NamesTest, LookupTellsWhatIsMissing) {
  const InodeId file = machine.make(session, kRootInode, "f").attributes.inode;
  EXPECT_EQ(queries::lookup(*machine.view(), kRootInode, "none").code(), Errc::not_found);
  EXPECT_EQ(queries::lookup(*machine.view(), file, "x").code(), Errc::not_directory);
  EXPECT_EQ(queries::lookup(*machine.view(), InodeId{99}, "x").code(), Errc::stale_handle);
}

}  // namespace
}  // namespace cairn
