// The first process of the namespace: starts the program, reaps, reports. When it exits the kernel ends the rest.
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/sandbox/launcher/inside.h"

namespace cairn::sandbox {
namespace {

[[noreturn]] void execute(const PlanView& plan, int report_fd) {
  char step[sizeof Report::step];
  const char* name = plan.argv()[0];
  std::snprintf(step, sizeof step, "execute %s", name);
  if (std::strchr(name, '/') != nullptr) {
    ::execve(name, plan.argv(), plan.environment());
    report_failure(report_fd, step, errno);
  }
  int error = ENOENT;
  for (const char* folder : {"/usr/local/bin", "/usr/bin", "/bin"}) {
    char path[4096];
    const int length = std::snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || static_cast<size_t>(length) >= sizeof path) continue;
    ::execve(path, plan.argv(), plan.environment());
    if (errno != ENOENT) error = errno;
  }
  report_failure(report_fd, step, error);
}

[[noreturn]] void become_program(const PlanView& plan, uint32_t foreign_tasks, int report_fd) {
  ::setsid();  // no terminal, and signals to its group reach nobody else
  ::umask(077);
  // Until now the plan and the report were needed; the program finds 0, 1 and 2 alone.
  if (plan.has(kLayerDescriptors) && ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
    report_failure(report_fd, "close_range", errno);
  ::fcntl(report_fd, F_SETFD, FD_CLOEXEC);
  restrict_program(plan, foreign_tasks, report_fd);
  if (plan.plan().probe != 0) ::_exit(0);
  execute(plan, report_fd);
}

bool is_full(const char* path) {
  struct statvfs found {};
  return ::statvfs(path, &found) == 0 && (found.f_bavail == 0 || found.f_favail == 0);
}

}  // namespace

void send_report(int report_fd, const Report& report) {
  // Smaller than PIPE_BUF: whole or not at all. If nobody reads, the supervisor has gone and all ends anyway.
  (void)!::write(report_fd, &report, sizeof report);
}

void report_failure(int report_fd, const char* step, int error_number) {
  Report report;
  report.error = error_number == 0 ? EIO : error_number;
  std::snprintf(report.step, sizeof report.step, "%s", step);
  send_report(report_fd, report);
  ::_exit(127);
}

void be_init(const PlanView& plan, uint32_t foreign_tasks, int report_fd, Report report) {
  // Nobody inside may look at this process, which has the program's uid.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  report.landlock_abi = landlock_abi();
  // Until the program executes this process waits and shares its memory, which is not copied: limits, Landlock, filter
  // and descriptors are each one's own. A fifth of the time of a start.
  const pid_t program = ::vfork();
  if (program < 0) report_failure(report_fd, "vfork", errno);
  if (program == 0) become_program(plan, foreign_tasks, report_fd);
  for (const int fd : {0, 1, 2}) ::close(fd);  // the program's alone: whoever feeds it notices when it closes them
  int status = 0;
  for (pid_t ended; (ended = ::waitpid(-1, &status, __WALL)) != program;) {
    if (ended < 0 && errno != EINTR) report_failure(report_fd, "wait", errno);
  }
  report.status = status;
  report.scratch_was_full = plan.has(kLayerMounts) && is_full("/scratch") ? 1 : 0;
  send_report(report_fd, report);
  ::_exit(0);
}

}  // namespace cairn::sandbox
