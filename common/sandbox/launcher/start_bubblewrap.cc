// bubblewrap makes the namespaces and the root; within, this program goes on as `cairn-sandbox --inside REPORT_FD
// TASKS`.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/sandbox/launcher/inside.h"
#include "common/sandbox/launcher/start.h"
#include "common/sandbox/launcher/watch.h"

namespace cairn::sandbox {
namespace {

class Words {
 public:
  template <typename... Text>
  void add(const Text*... words) {
    ((words_[count_] = words, count_ += count_ + 1 < kMost ? 1 : 0), ...);
  }
  char* const* argv() {
    words_[count_] = nullptr;
    return const_cast<char* const*>(words_);
  }

 private:
  static constexpr int kMost = 512;  // 64 read-only paths at most, three words each
  const char* words_[kMost] = {};
  int count_ = 0;
};

int file_of(std::string_view bytes) {
  const int fd = ::memfd_create("program", 0);
  while (fd >= 0 && !bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) return -1;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (fd >= 0) ::lseek(fd, 0, SEEK_SET);
  return fd;
}

[[noreturn]] void become_bubblewrap(const PlanView& plan, int report_fd) {
  static char scratch[32], report[16], tasks[16], program[16], links[6][256];
  std::snprintf(scratch, sizeof scratch, "%llu", static_cast<unsigned long long>(plan.plan().scratch_bytes));
  std::snprintf(report, sizeof report, "%d", report_fd);
  // Set up by root it makes no namespace of users: what this user runs elsewhere counts against RLIMIT_NPROC.
  struct stat bubblewrap {};
  const bool as_root = ::stat(plan.bubblewrap(), &bubblewrap) == 0 && (bubblewrap.st_mode & S_ISUID) != 0;
  std::snprintf(tasks, sizeof tasks, "%u", as_root ? tasks_of_user(::getuid()) : 0u);
  static Words words;
  words.add(plan.bubblewrap(), "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts");
  words.add("--unshare-cgroup-try", "--hostname", "cairn", "--die-with-parent", "--new-session", "--as-pid-1");
  words.add("--clearenv", "--ro-bind", "/usr", "/usr");
  int link = 0;
  for (const char* path : {"/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"}) {
    const ssize_t length = ::readlink(path, links[link], sizeof links[link] - 1);
    if (length > 0) words.add("--symlink", static_cast<const char*>(links[link]), path);
    if (length < 0 && errno == EINVAL) words.add("--ro-bind", path, path);
    ++link;
  }
  for (const char* path : {"/etc/alternatives", "/etc/ld.so.cache"}) words.add("--ro-bind-try", path, path);
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"}) words.add("--dev-bind", path, path);
  for (char* const* path = plan.readonly_paths(); *path != nullptr; ++path) words.add("--ro-bind", *path, *path);
  words.add("--ro-bind", plan.launcher(), "/job/launcher");
  if (!plan.program().empty()) {
    const int fd = file_of(plan.program());
    if (fd < 0) report_failure(report_fd, "/job/program", errno);
    std::snprintf(program, sizeof program, "%d", fd);
    words.add("--perms", "0555", "--file", static_cast<const char*>(program), "/job/program");
  }
  words.add("--perms", "0700");
  if (!as_root) words.add("--size", static_cast<const char*>(scratch));  // refused otherwise: then the supervisor looks
  words.add("--tmpfs", "/scratch");
  words.add("--symlink", "/scratch", "/tmp", "--remount-ro", "/", "--chdir", "/scratch");
  words.add("--", "/job/launcher", "--inside", static_cast<const char*>(report), static_cast<const char*>(tasks));
  ::fcntl(report_fd, F_SETFD, 0);
  char* const nothing[] = {nullptr};
  ::execve(plan.bubblewrap(), words.argv(), nothing);
  report_failure(report_fd, "execute bubblewrap (is it installed?)", errno);
}

}  // namespace

Started start_bubblewrap(const PlanView& plan, int cgroup_fd) {
  Started started;
  int report[2];
  if (::pipe2(report, O_CLOEXEC) < 0) {
    started.failed = "pipe";
    return started;
  }
  started.pid = fork_with(0, cgroup_fd, &started.pidfd);
  if (started.pid < 0) {
    started.failed = "fork";
    return started;
  }
  if (started.pid == 0) {
    ::close(report[0]);
    ::close(kControlFd);
    become_bubblewrap(plan, report[1]);
  }
  ::close(report[1]);
  started.report_fd = report[0];
  return started;
}

}  // namespace cairn::sandbox
