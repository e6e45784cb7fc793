// cairn-sandbox: starts one program in a sandbox and watches over it, for one caller. Started by common/sandbox alone.
//
//   supervise() waits for the first of: the program's end, a bound, the caller's word or end. Then everything inside is
//   killed, and the verdict is sent. No thread, no allocation worth the name, one sandbox in its life.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/sandbox/launcher/cgroup.h"
#include "common/sandbox/launcher/inside.h"
#include "common/sandbox/launcher/start.h"
#include "common/sandbox/launcher/watch.h"

namespace cairn::sandbox {
namespace {

// As in sandbox.h, which the launcher does not include.
enum Hit : uint32_t { kNone, kWall, kCpu, kMemory, kOutput, kScratch, kCancelled };

constexpr int64_t kSampleNs = 10'000'000;
constexpr int64_t kMostPausesNs = 5 * kSampleNs;

int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

class Supervisor {
 public:
  explicit Supervisor(const PlanView& plan) : plan_(plan), began_ns_(now_ns()) {}

  Verdict run() {
    if (plan_.cgroup()[0] != '\0') {
      if (const char* failed = cgroup_.make(plan_); failed != nullptr) return give_up(failed, errno);
    }
    started_ = plan_.plan().bubblewrap != 0 ? start_bubblewrap(plan_, cgroup_.fd()) : start_own(plan_, cgroup_.fd());
    if (started_.failed != nullptr) return give_up(started_.failed, errno);
    release_streams();
    supervise();
    end_all();
    return verdict_;
  }

 private:
  // The pipes end when the program's side of them is closed: nobody else may have it.
  static void release_streams() {
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {0, 1, 2}) ::dup2(nothing, fd);
  }

  void supervise() {
    int64_t next_sample = now_ns() + kSampleNs;
    while (true) {
      const int64_t deadline = began_ns_ + plan_.plan().wall_ns;
      const int64_t wait = std::max<int64_t>(0, std::min(deadline, next_sample) - now_ns());
      pollfd ready[] = {{kControlFd, POLLIN, 0}, {started_.report_fd, POLLIN, 0}};
      const timespec timeout{wait / 1'000'000'000, wait % 1'000'000'000};
      if (::ppoll(ready, 2, &timeout, nullptr) < 0 && errno != EINTR) return stop(kNone);
      if (ready[1].revents != 0) return take_report();  // first: what has ended was not cancelled
      if (ready[0].revents != 0) return stop(kCancelled);
      const int64_t now = now_ns();
      if (now >= deadline) return stop(kWall);
      if (now < next_sample) continue;
      if (plan_.has(kLayerWatch) && beyond_bounds()) return;
      // Samples may take a twentieth of the time, but a program does not decide how seldom they are.
      next_sample = now_ns() + std::clamp(20 * (now_ns() - now), kSampleNs, kMostPausesNs);
    }
  }

  bool beyond_bounds() {
    const Usage usage = usage_of(started_.pid);
    const uint64_t cpu_ns = cgroup_.made() ? cgroup_.cpu_ns() : usage.cpu_ns;
    verdict_.peak_memory_bytes = std::max(verdict_.peak_memory_bytes, usage.memory_bytes);
    if (usage.tasks >= plan_.plan().processes) verdict_.had_all_processes = 1;
    if (cpu_ns > static_cast<uint64_t>(plan_.plan().cpu_ns)) return stop(kCpu), true;
    if (usage.memory_bytes > plan_.plan().memory_bytes && exact_memory_of(started_.pid) > plan_.plan().memory_bytes)
      return stop(kMemory), true;
    if (plan_.plan().bubblewrap != 0 && scratch_bytes_of(started_.pid) > plan_.plan().scratch_bytes)
      return stop(kScratch), true;
    return false;
  }

  void take_report() {
    Report report;
    const ssize_t got = ::read(started_.report_fd, &report, sizeof report);
    if (got != sizeof report) {
      verdict_.lost = 1;
      return;
    }
    verdict_.error = report.error;
    std::snprintf(verdict_.step, sizeof verdict_.step, "%.*s", static_cast<int>(sizeof report.step), report.step);
    verdict_.status = report.status;
    verdict_.landlock_abi = report.landlock_abi;
    verdict_.proc = report.proc;
    verdict_.scratch_was_full = report.scratch_was_full;
  }

  void stop(Hit hit) { verdict_.hit = hit; }

  // Waits until the kernel has ended the namespace's last process.
  void end_all() {
    ::syscall(SYS_pidfd_send_signal, started_.pidfd, SIGKILL, nullptr, 0);
    rusage usage{};
    int status = 0;
    while (::wait4(started_.pid, &status, __WALL, &usage) < 0 && errno == EINTR) {
    }
    // bubblewrap may end before what it started: the report's pipe ends with the last of them.
    char rest[sizeof(Report)];
    while (::read(started_.report_fd, rest, sizeof rest) > 0) {
    }
    const auto nanoseconds = [](const timeval& time) {
      return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_usec) * 1000;
    };
    verdict_.cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    if (cgroup_.made()) verdict_.cpu_ns = cgroup_.cpu_ns();
    judge();
    cgroup_.remove();
  }

  // A bound that the kernel held looks like a signal.
  void judge() {
    if (cgroup_.made() && cgroup_.processes_ran_out()) verdict_.had_all_processes = 1;
    if (verdict_.hit != kNone || verdict_.error != 0) return;
    if (cgroup_.made() && cgroup_.memory_ran_out()) {
      verdict_.hit = kMemory;
      verdict_.lost = 0;
    } else if (!verdict_.lost && WIFSIGNALED(verdict_.status)) {
      const int signal = WTERMSIG(verdict_.status);
      const bool out_of_cpu = verdict_.cpu_ns >= static_cast<uint64_t>(plan_.plan().cpu_ns);
      if (signal == SIGXCPU || (signal == SIGKILL && out_of_cpu)) verdict_.hit = kCpu;
      if (signal == SIGXFSZ) verdict_.hit = kScratch;
    }
  }

  Verdict give_up(const char* step, int error) {
    if (started_.pid > 0) end_all();
    cgroup_.remove();
    verdict_.error = error == 0 ? EIO : error;
    std::snprintf(verdict_.step, sizeof verdict_.step, "%s", step);
    return verdict_;
  }

  const PlanView& plan_;
  const int64_t began_ns_;
  Cgroup cgroup_;
  Started started_;
  Verdict verdict_;
};

[[noreturn]] void go_on_inside(const char* report_text, const char* foreign_tasks) {
  const int report_fd = std::atoi(report_text);
  const PlanView* plan = PlanView::map();
  if (plan == nullptr) report_failure(report_fd, "read the plan", EINVAL);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // of bubblewrap, which has it of the supervisor
  empty_bounding_set(*plan, report_fd);
  drop_capabilities(*plan, report_fd);
  be_init(*plan, static_cast<uint32_t>(std::atoi(foreign_tasks)), report_fd, {});
}

}  // namespace
}  // namespace cairn::sandbox

int main(int argc, char** argv) {
  using namespace cairn::sandbox;
  if (argc == 4 && std::strcmp(argv[1], "--inside") == 0) go_on_inside(argv[2], argv[3]);
  const PlanView* plan = PlanView::map();
  if (plan == nullptr) {
    std::fprintf(stderr, "cairn-sandbox is started by CairnFS, to run programs of tasks; it has no use of its own\n");
    return 2;
  }
  // What the caller had open without O_CLOEXEC.
  if (plan->has(kLayerDescriptors)) ::close_range(kPlanFd + 1, ~0u, 0);
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  Supervisor supervisor(*plan);
  const Verdict verdict = supervisor.run();
  return ::send(kControlFd, &verdict, sizeof verdict, MSG_NOSIGNAL) == sizeof verdict ? 0 : 1;
}
