// A root of its own, read-only but for /scratch:
//
//   /usr, and what options add   the host's, read-only, nosuid, nodev
//   /bin /lib /lib64 /sbin       as on the host: links into /usr, or directories like it
//   /etc                         alternatives, and the linker's cache; no accounts, no names of hosts
//   /dev                         null, zero, full, urandom
//   /proc                        of this namespace, processes alone (subset=pid), if the kernel lets us
//   /job/program                 what was shipped
//   /scratch, /tmp -> it         a tmpfs that is bounded and noexec
//
// Host trees are cloned first, detached: the new root can then cover any directory.
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/sandbox/launcher/inside.h"

// The C library's <sys/mount.h> and the kernel's header do not go together.
extern "C" int mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data);
extern "C" int umount2(const char* target, int flags);

namespace cairn::sandbox {
namespace {

constexpr int kMostTrees = 64;
constexpr const char* kNewRoot = "/usr";  // any directory that is everywhere

struct Tree {
  const char* path;
  int fd;
  bool directory;
};

class RootBuilder {
 public:
  RootBuilder(const PlanView& plan, uint32_t id, int report_fd) : plan_(plan), id_(id), report_fd_(report_fd) {}

  void clone_host() {
    constexpr uint64_t kReadOnly = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    constexpr uint64_t kDevice = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    clone("/usr", kReadOnly, true);
    for (const char* path : {"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"}) {
      struct stat found {};
      if (::lstat(path, &found) == 0 && S_ISDIR(found.st_mode)) clone(path, kReadOnly, true);
    }
    for (const char* path : {"/etc/alternatives", "/etc/ld.so.cache"}) clone(path, kReadOnly, false);
    for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"}) clone(path, kDevice, true);
    for (char* const* path = plan_.readonly_paths(); *path != nullptr; ++path) clone(*path, kReadOnly, true);
    for (const char* path : {"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"}) keep_link(path);
  }

  bool build() {
    char options[96];
    const unsigned long flags = MS_NOSUID | MS_NODEV;
    const size_t bytes = plan_.program().size() + (1u << 20);
    std::snprintf(options, sizeof options, "mode=0755,size=%zu,nr_inodes=1024", bytes);
    must(::mount("tmpfs", kNewRoot, "tmpfs", flags, options), "mount the new root");
    must(::chdir(kNewRoot), "enter the new root");
    ::umask(0);
    for (const char* path : {"etc", "dev", "proc", "job", "scratch"}) must(::mkdir(path, 0755), path);
    for (int i = 0; i < trees_count_; ++i) attach(trees_[i]);
    for (int i = 0; i < links_count_; ++i) must(::symlink(links_[i].target, links_[i].path + 1), links_[i].path);
    must(::symlink("/scratch", "tmp"), "/tmp");
    must(::symlink("/proc/self/fd", "dev/fd"), "/dev/fd");
    must(::symlink("/proc/self/fd/0", "dev/stdin"), "/dev/stdin");
    must(::symlink("/proc/self/fd/1", "dev/stdout"), "/dev/stdout");
    must(::symlink("/proc/self/fd/2", "dev/stderr"), "/dev/stderr");
    write_program();
    const unsigned long proc_flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    const bool proc =
        plan_.has(kLayerPids) && ::mount("proc", "proc", "proc", proc_flags, "subset=pid,hidepid=ptraceable") == 0;
    const unsigned long inodes = 1024 + plan_.plan().scratch_bytes / 4096;
    std::snprintf(options, sizeof options, "mode=0700,size=%llu,nr_inodes=%lu,uid=%u,gid=%u",
                  static_cast<unsigned long long>(plan_.plan().scratch_bytes), inodes, id_, id_);
    must(::mount("tmpfs", "scratch", "tmpfs", flags | MS_NOEXEC, options), "mount /scratch");
    return proc;
  }

  void enter() {
    must(::mount(nullptr, ".", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr),
         "make the root read-only");
    must(static_cast<int>(::syscall(SYS_pivot_root, ".", ".")), "pivot_root (the host's root must not be a ramdisk)");
    must(::umount2(".", 2 /* MNT_DETACH */), "leave the host's root");
    must(::chdir("/scratch"), "enter /scratch");
  }

 private:
  struct Link {
    const char* path;
    char target[256];
  };

  void must(int result, const char* step) const {
    if (result < 0) report_failure(report_fd_, step, errno);
  }

  void clone(const char* path, uint64_t attributes, bool needed) {
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
    const int fd = static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path, flags));
    if (fd < 0 && errno == ENOENT && !needed) return;
    must(fd, path);
    struct stat found {};
    must(::fstat(fd, &found), path);
    mount_attr change{};
    change.attr_set = attributes;
    change.propagation = MS_PRIVATE;
    must(static_cast<int>(::syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change)),
         path);
    if (trees_count_ == kMostTrees) report_failure(report_fd_, "too many read-only paths", E2BIG);
    trees_[trees_count_++] = {path, fd, S_ISDIR(found.st_mode)};
  }

  void keep_link(const char* path) {
    Link& link = links_[links_count_];
    const ssize_t length = ::readlink(path, link.target, sizeof link.target - 1);
    if (length < 0) return;  // no link: a directory that was cloned, or nothing
    link.target[length] = '\0';
    link.path = path;
    ++links_count_;
  }

  // Where a tree goes: its path, whose parents are made.
  void attach(const Tree& tree) const {
    char path[4096];
    std::snprintf(path, sizeof path, "%s", tree.path + 1);
    for (char* slash = std::strchr(path, '/'); slash != nullptr; slash = std::strchr(slash + 1, '/')) {
      *slash = '\0';
      if (::mkdir(path, 0755) < 0 && errno != EEXIST) must(-1, tree.path);
      *slash = '/';
    }
    if (tree.directory) {
      if (::mkdir(path, 0755) < 0 && errno != EEXIST) must(-1, tree.path);
    } else {
      const int fd = ::open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
      must(fd, tree.path);
      ::close(fd);
    }
    must(static_cast<int>(::syscall(SYS_move_mount, tree.fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)), tree.path);
    ::close(tree.fd);
  }

  void write_program() const {
    std::string_view left = plan_.program();
    if (left.empty()) return;
    const int fd = ::open("job/program", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0555);
    must(fd, "/job/program");
    while (!left.empty()) {
      const ssize_t written = ::write(fd, left.data(), left.size());
      must(static_cast<int>(written < 0 ? -1 : 0), "/job/program");
      left.remove_prefix(static_cast<size_t>(written));
    }
    ::close(fd);
  }

  const PlanView& plan_;
  const uint32_t id_;  // whose /scratch is
  const int report_fd_;
  Tree trees_[kMostTrees]{};
  int trees_count_ = 0;
  Link links_[8]{};
  int links_count_ = 0;
};

}  // namespace

void enter_own_root(const PlanView& plan, uint32_t id, int report_fd, Report& report) {
  if (!plan.has(kLayerMounts)) return;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
    report_failure(report_fd, "make mounts private", errno);
  static RootBuilder builder(plan, id, report_fd);
  builder.clone_host();
  report.proc = builder.build() ? 1 : 0;
  builder.enter();
}

}  // namespace cairn::sandbox
