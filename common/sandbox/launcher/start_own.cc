#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/sandbox/launcher/inside.h"
#include "common/sandbox/launcher/start.h"

namespace cairn::sandbox {
namespace {

// Outside the range of accounts, of subuids and of systemd's containers (it ends at 0x6fffffff); one for each sandbox
// that lives, so that they cannot even be mistaken for one another. 65534 where that is not mapped for ourselves.
constexpr uint32_t kFirstOutsideId = 0x7000'0000;
constexpr uint32_t kNobody = 65534;

uint64_t namespaces_of(const PlanView& plan) {
  uint64_t flags = 0;
  if (plan.has(kLayerUser)) flags |= CLONE_NEWUSER;
  if (plan.has(kLayerMounts)) flags |= CLONE_NEWNS;
  if (plan.has(kLayerPids)) flags |= CLONE_NEWPID;
  if (plan.has(kLayerNetwork)) flags |= CLONE_NEWNET;
  if (plan.has(kLayerIpc)) flags |= CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  return flags;
}

bool write_to(pid_t pid, const char* file, const char* text) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text, std::strlen(text)) == static_cast<ssize_t>(std::strlen(text));
  const int error = errno;
  ::close(fd);
  errno = error;
  return written;
}

bool map_ids(pid_t pid, uint32_t uid, uint32_t gid) {
  char users[64], groups[64];
  std::snprintf(users, sizeof users, "%u %u 1\n", kInsideId, uid);
  std::snprintf(groups, sizeof groups, "%u %u 1\n", kInsideId, gid);
  return write_to(pid, "gid_map", groups) && write_to(pid, "uid_map", users);
}

// So that it can open its standard streams by name (/dev/stdin), which looks at the pipes' owner.
void own_streams(uint32_t id) {
  for (const int fd : {0, 1, 2}) (void)!::fchown(fd, id, id);
}

// Null, or what failed.
const char* give_ids(pid_t pid) {
  if (::geteuid() == 0) {
    const uint32_t own = kFirstOutsideId + static_cast<uint32_t>(::getpid());
    for (const uint32_t id : {own, uint32_t{kNobody}}) {
      if (!map_ids(pid, id, id)) continue;
      own_streams(id);
      return nullptr;
    }
  }
  // An ordinary user, or root of a namespace with no other ids: its own, and its groups cannot be left.
  if (!write_to(pid, "setgroups", "deny")) return "write setgroups";
  return map_ids(pid, ::geteuid(), ::getegid()) ? nullptr : "write uid_map";
}

void become(uint32_t id, int report_fd) {
  if (::setgroups(0, nullptr) < 0 && errno != EPERM) report_failure(report_fd, "setgroups", errno);
  if (::setresgid(id, id, id) < 0) report_failure(report_fd, "setresgid", errno);
  if (::setresuid(id, id, id) < 0) report_failure(report_fd, "setresuid", errno);
}

[[noreturn]] void set_up(const PlanView& plan, int go_fd, int report_fd, uint32_t outside_id) {
  char go = 0;
  if (::read(go_fd, &go, 1) != 1) ::_exit(127);  // the supervisor has gone, or could not give ids
  const bool user = plan.has(kLayerUser);
  if (user) become(kInsideId, report_fd);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // behind the change of ids, which would clear it
  pollfd supervisor{go_fd, 0, 0};
  if (::poll(&supervisor, 1, 0) != 0) ::_exit(127);  // it ended before that
  if (plan.has(kLayerIpc) && ::sethostname("cairn", 5) < 0) report_failure(report_fd, "sethostname", errno);
  Report report;
  enter_own_root(plan, user ? kInsideId : outside_id, report_fd, report);
  empty_bounding_set(plan, report_fd);
  if (!user && ::geteuid() == 0) {
    own_streams(outside_id);
    become(outside_id, report_fd);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::poll(&supervisor, 1, 0) != 0) ::_exit(127);
  }
  drop_capabilities(plan, report_fd);
  be_init(plan, 0, report_fd, report);
}

}  // namespace

pid_t fork_with(uint64_t flags, int cgroup_fd, int* pidfd) {
  clone_args arguments{};
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uint64_t>(pidfd);
  arguments.exit_signal = SIGCHLD;
  if (cgroup_fd >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(cgroup_fd);
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

Started start_own(const PlanView& plan, int cgroup_fd) {
  Started started;
  int go[2], report[2];
  if (::pipe2(go, O_CLOEXEC) < 0 || ::pipe2(report, O_CLOEXEC) < 0) {
    started.failed = "pipe";
    return started;
  }
  const uint32_t outside_id = kFirstOutsideId + static_cast<uint32_t>(::getpid());
  started.pid = fork_with(namespaces_of(plan), cgroup_fd, &started.pidfd);
  if (started.pid < 0) {
    started.failed = "make namespaces";
    return started;
  }
  if (started.pid == 0) {
    ::close(go[1]);
    ::close(report[0]);
    ::close(kControlFd);
    set_up(plan, go[0], report[1], outside_id);
  }
  ::close(report[1]);
  started.report_fd = report[0];
  (void)write_to(started.pid, "oom_score_adj", "1000");  // rather than a server
  if (plan.has(kLayerUser)) started.failed = give_ids(started.pid);
  const int error = errno;
  if (started.failed == nullptr) (void)!::write(go[1], "g", 1);
  // go[1] stays open for as long as this process lives: init looks whether it does.
  if (started.failed != nullptr) ::close(go[1]);
  ::close(go[0]);
  errno = error;
  return started;
}

}  // namespace cairn::sandbox
