// Linux is the model: the same random calls on a directory of this machine and on the state machine give the same
// errors and trees.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "invariants.h"
#include "machine.h"

namespace cairn {
namespace {

int errno_of(Errc code) {
  switch (code) {
    case Errc::not_found:
      return ENOENT;
    case Errc::exists:
      return EEXIST;
    case Errc::not_empty:
      return ENOTEMPTY;
    case Errc::not_directory:
      return ENOTDIR;
    case Errc::is_directory:
      return EISDIR;
    case Errc::name_too_long:
      return ENAMETOOLONG;
    case Errc::too_many_links:
      return EMLINK;
    case Errc::not_permitted:
      return EPERM;
    case Errc::invalid:
      return EINVAL;
    default:
      return -1;
  }
}

// A directory of the host, removed at the end; every call returns 0 or errno.
class Host {
 public:
  Host() {
    std::string pattern =
        std::filesystem::exists("/dev/shm") ? "/dev/shm/cairn-names-XXXXXX" : "/tmp/cairn-names-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~Host() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  std::string path(const std::string& name) const { return root_ + "/" + name; }
  int make(const std::string& name, uint32_t mode) const {
    if (S_ISDIR(mode)) return done(::mkdir(path(name).c_str(), mode & 07777));
    if (S_ISLNK(mode)) return done(::symlink("elsewhere", path(name).c_str()));
    return done(::mknod(path(name).c_str(), mode, 0));
  }
  int link(const std::string& from, const std::string& to) const {
    return done(::linkat(AT_FDCWD, path(from).c_str(), AT_FDCWD, path(to).c_str(), 0));
  }
  int remove(const std::string& name, bool directory) const {
    return done(directory ? ::rmdir(path(name).c_str()) : ::unlink(path(name).c_str()));
  }
  int rename(const std::string& from, const std::string& to, uint32_t flags) const {
    return done(::renameat2(AT_FDCWD, path(from).c_str(), AT_FDCWD, path(to).c_str(), flags));
  }
  std::optional<struct stat> stat(const std::string& name) const {
    struct stat found {};
    if (::lstat(path(name).c_str(), &found) != 0) return std::nullopt;
    return found;
  }
  bool usable() const {  // directories count their subdirectories, and names can be exchanged
    return make("probe", S_IFDIR | 0755) == 0 && make("probe2", S_IFDIR | 0755) == 0 && stat("probe")->st_nlink == 2 &&
           rename("probe", "probe2", 2) == 0 && remove("probe", true) == 0 && remove("probe2", true) == 0;
  }

 private:
  static int done(int result) { return result == 0 ? 0 : errno; }
  std::string root_;
};

// The same calls by path on the state machine.
class Tree {
 public:
  struct Place {
    InodeId parent{};
    std::string name;
  };
  std::optional<Place> resolve(const std::string& path) const {  // none: the way there is no directory
    InodeId at = kRootInode;
    std::string_view rest = path;
    for (size_t slash; (slash = rest.find('/')) != rest.npos; rest.remove_prefix(slash + 1)) {
      const auto entry = queries::lookup(*machine.view(), at, rest.substr(0, slash));
      if (!entry.ok() || !S_ISDIR(entry->attributes.mode)) return std::nullopt;
      at = entry->attributes.inode;
    }
    return Place{at, std::string(rest)};
  }
  int run(CommandBody body) {
    const Outcome outcome = machine.run(session, std::move(body));
    if (!outcome.ok()) return errno_of(outcome.code());
    return 0;
  }
  Machine machine;
  SessionId session = machine.open_session();
};

class LinuxTest : public testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    if (!host.usable()) GTEST_SKIP() << "the host's temporary filesystem counts links otherwise";
  }
  std::string random_path() {
    std::string path;
    for (uint64_t depth = random() % 3; depth > 0; --depth) path += std::string(1, "abc"[random() % 3]) + "/";
    return path + "abcd"[random() % 4];
  }
  // What both sides know of a path.
  void compare(const std::string& path) {
    const auto expected = host.stat(path);
    const auto place = tree.resolve(path);
    const auto found =
        place ? queries::lookup(*tree.machine.view(), place->parent, place->name) : Result<Entry>(Errc::not_found, "");
    ASSERT_EQ(expected.has_value(), found.ok()) << path;
    if (!expected) return;
    EXPECT_EQ(expected->st_mode & S_IFMT, found->attributes.mode & S_IFMT) << path;
    EXPECT_EQ(expected->st_nlink, found->attributes.links) << path;
    EXPECT_TRUE(!S_ISLNK(expected->st_mode) || static_cast<uint64_t>(expected->st_size) == found->attributes.size)
        << path;
    const uint64_t id = raw(found->attributes.inode);
    const auto [known, is_new] = inodes.emplace(expected->st_ino, id);
    EXPECT_TRUE(is_new || known->second == id) << path << " is another inode";
  }
  void step() {
    const std::string path = random_path(), to = random_path();
    const auto at = tree.resolve(path), at_to = tree.resolve(to);
    if (!at || !at_to) return;  // only the kernel walks paths
    int expected = 0, got = 0;
    std::string what;
    switch (random() % 8) {
      case 0:
      case 1: {
        static constexpr uint32_t kModes[] = {S_IFREG | 0644, S_IFDIR | 0755, S_IFDIR | 0755, S_IFLNK | 0777,
                                              S_IFIFO | 0600};
        const uint32_t mode = kModes[random() % std::size(kModes)];
        what = fmt::format("make {:o} {}", mode, path);
        expected = host.make(path, mode);
        got = tree.run(node(at->parent, at->name, mode, S_ISLNK(mode) ? "elsewhere" : ""));
        break;
      }
      case 2: {
        const auto from = queries::lookup(*tree.machine.view(), at->parent, at->name);
        if (!from.ok()) return;
        what = fmt::format("link {} {}", path, to);
        expected = host.link(path, to);
        got = tree.run(LinkNode{from->attributes.inode, at_to->parent, at_to->name});
        break;
      }
      case 3:
      case 4: {
        const bool directory = random() % 2 == 0;
        what = fmt::format("remove {} {}", path, directory);
        expected = host.remove(path, directory);
        got = tree.run(RemoveName{at->parent, at->name, directory});
        break;
      }
      default: {
        static constexpr uint32_t kFlags[] = {0, 0, 0, 1, 2, 2, 3};
        const uint32_t flags = kFlags[random() % std::size(kFlags)];
        what = fmt::format("rename {} {} flags {}", path, to, flags);
        expected = host.rename(path, to, flags);
        got = tree.run(Rename{at->parent, at->name, at_to->parent, at_to->name, flags});
        break;
      }
    }
    ++calls;
    ASSERT_EQ(expected, got) << what << ": Linux says " << std::strerror(expected);
    compare(path);
    compare(to);
  }

  std::mt19937_64 random{GetParam()};
  Host host;
  Tree tree;
  std::map<uint64_t, uint64_t> inodes;  // the host's -> ours
  int calls = 0;                        // that reached both sides
};

TEST_P(LinuxTest, TheSameCallsGiveTheSameErrorsAndTheSameTree) {
  for (int i = 0; i < 1000 && !HasFailure(); ++i) {
    step();
    if (i % 20 != 0) continue;
    inodes.clear();  // the host uses its numbers again
    ASSERT_EQ(violations(*tree.machine.view()), "");
  }
  EXPECT_GT(calls, 60);
  EXPECT_EQ(violations(*tree.machine.view()), "");
  EXPECT_EQ(replayed_hash(tree.machine.log, 7), tree.machine.hash());
}

INSTANTIATE_TEST_SUITE_P(Seeds, LinuxTest, testing::Range<uint64_t>(0, 60));

}  // namespace
}  // namespace cairn
