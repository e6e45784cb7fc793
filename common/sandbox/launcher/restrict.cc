// What is taken from a process that stays where it is: capabilities, rlimits, files by Landlock, system calls.
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/sandbox/launcher/inside.h"

namespace cairn::sandbox {
namespace {

// Of newer kernels than the headers that this is built with: https://docs.kernel.org/userspace-api/landlock.html
struct LandlockRuleset {
  uint64_t files = 0;
  uint64_t network = 0;  // from ABI 4
  uint64_t scoped = 0;   // from ABI 6
};
struct [[gnu::packed]] LandlockPath {
  uint64_t allowed;
  int32_t fd;
};
constexpr uint64_t kExecute = 1u << 0, kWriteFile = 1u << 1, kReadFile = 1u << 2, kReadDirectory = 1u << 3;
constexpr uint64_t kMakeCharacterDevice = 1u << 6, kMakeSocket = 1u << 9, kMakeBlockDevice = 1u << 11;
constexpr uint64_t kAllOfAbi1 = (1u << 13) - 1, kRefer = 1u << 13, kTruncate = 1u << 14, kIoctlDevice = 1u << 15;
constexpr uint64_t kBindAndConnect = 3, kAbstractSocketsAndSignals = 3;
constexpr uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDevice;
constexpr uint64_t kReadAndExecute = kExecute | kReadFile | kReadDirectory;

LandlockRuleset ruleset_for(uint32_t abi) {
  LandlockRuleset rules;
  rules.files = kAllOfAbi1 | (abi >= 2 ? kRefer : 0) | (abi >= 3 ? kTruncate : 0) | (abi >= 5 ? kIoctlDevice : 0);
  rules.network = abi >= 4 ? kBindAndConnect : 0;
  rules.scoped = abi >= 6 ? kAbstractSocketsAndSignals : 0;
  return rules;
}

class Landlock {
 public:
  Landlock(int report_fd, uint32_t abi) : report_fd_(report_fd), rules_(ruleset_for(abi)) {
    const size_t bytes = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    fd_ = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules_, bytes, 0));
    if (fd_ < 0) report_failure(report_fd_, "landlock_create_ruleset", errno);
  }
  // What is not there needs no rule.
  void allow(const char* path, uint64_t access) const {
    const int target = ::open(path, O_PATH | O_CLOEXEC);
    struct stat found {};
    if (target < 0 || ::fstat(target, &found) != 0) return;
    access &= rules_.files & (S_ISDIR(found.st_mode) ? ~uint64_t{0} : kOfFiles);
    const LandlockPath rule{access, target};
    constexpr int kPathBeneath = 1;
    if (::syscall(SYS_landlock_add_rule, fd_, kPathBeneath, &rule, 0) < 0) report_failure(report_fd_, path, errno);
    ::close(target);
  }
  void enforce() const {
    if (::syscall(SYS_landlock_restrict_self, fd_, 0) < 0) report_failure(report_fd_, "landlock_restrict_self", errno);
    ::close(fd_);
  }

 private:
  const int report_fd_;
  const LandlockRuleset rules_;
  int fd_;
};

void restrict_files(const PlanView& plan, int report_fd) {
  const uint32_t abi = landlock_abi();
  if (abi == 0 || !plan.has(kLayerLandlock)) return;
  const Landlock landlock(report_fd, abi);
  for (const char* path : {"/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/etc/alternatives",
                           "/etc/ld.so.cache", "/job"})
    landlock.allow(path, kReadAndExecute);
  for (char* const* path = plan.readonly_paths(); *path != nullptr; ++path) landlock.allow(*path, kReadAndExecute);
  for (const char* path : {"/dev/null", "/dev/full", "/dev/urandom"}) landlock.allow(path, kReadFile | kWriteFile);
  landlock.allow("/dev/zero", kReadFile);  // a shared mapping of it is memory that nobody counts
  if (plan.has(kLayerMounts)) {
    landlock.allow("/", kReadDirectory);  // of its own root; what may be read there is below
    landlock.allow("/proc", kReadFile | kReadDirectory);
  }
  landlock.allow("/scratch", ~(kExecute | kMakeCharacterDevice | kMakeBlockDevice | kMakeSocket | kIoctlDevice));
  landlock.enforce();
}

void bound(int report_fd, __rlimit_resource resource, uint64_t most) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  limit.rlim_max = std::min<rlim_t>(limit.rlim_max, most);  // raising it would need a capability
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(resource, &limit) < 0) report_failure(report_fd, "setrlimit", errno);
}

// Each process alone. The supervisor watches them together, and more exactly: what is here stops the one that is
// faster than its samples, and leaves room so that it is not the first to stop anybody.
void bound_resources(const PlanView& plan, uint32_t foreign_tasks, int report_fd) {
  const Plan& limits = plan.plan();
  constexpr uint64_t kMiB = 1u << 20, kSecond = 1'000'000'000;
  // Address space without pages costs nothing, and some languages reserve much of it.
  bound(report_fd, RLIMIT_AS, 4 * limits.memory_bytes + 4096 * kMiB);
  bound(report_fd, RLIMIT_DATA, 2 * limits.memory_bytes + 256 * kMiB);
  bound(report_fd, RLIMIT_STACK, 8 * kMiB);
  bound(report_fd, RLIMIT_CPU, static_cast<uint64_t>(limits.cpu_ns) / kSecond + 2);
  bound(report_fd, RLIMIT_FSIZE, limits.scratch_bytes);
  bound(report_fd, RLIMIT_NOFILE, limits.descriptors);
  bound(report_fd, RLIMIT_NPROC, limits.processes + uint64_t{1} + foreign_tasks);  // init has the same uid
  // 0 would still start a program that core_pattern names; 1 stops that too, and is less than any core file.
  bound(report_fd, RLIMIT_CORE, 1);
  bound(report_fd, RLIMIT_MEMLOCK, 64 << 10);
  bound(report_fd, RLIMIT_MSGQUEUE, 0);
  bound(report_fd, RLIMIT_SIGPENDING, 256);
  bound(report_fd, RLIMIT_NICE, 0);
  bound(report_fd, RLIMIT_RTPRIO, 0);
}

}  // namespace

uint32_t landlock_abi() {
  constexpr uint32_t kVersion = 1;
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersion);
  return abi < 0 ? 0 : static_cast<uint32_t>(abi);
}

void empty_bounding_set(const PlanView& plan, int report_fd) {
  if (!plan.has(kLayerCapabilities)) return;
  for (unsigned capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    // Without CAP_SETPCAP (bubblewrap has taken it) the bounding set stays: no_new_privs makes it useless.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
      report_failure(report_fd, "PR_CAPBSET_DROP", errno);
  }
}

void drop_capabilities(const PlanView& plan, int report_fd) {
  if (!plan.has(kLayerCapabilities)) return;
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) < 0) report_failure(report_fd, "capset", errno);
}

void restrict_program(const PlanView& plan, uint32_t foreign_tasks, int report_fd) {
  if (plan.has(kLayerRlimits)) bound_resources(plan, foreign_tasks, report_fd);
  if (plan.has(kLayerNoNewPrivs) && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    report_failure(report_fd, "PR_SET_NO_NEW_PRIVS", errno);
  restrict_files(plan, report_fd);
  if (plan.has(kLayerSeccomp)) {
    const sock_fprog filter = plan.filter();
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0) report_failure(report_fd, "seccomp", errno);
  }
}

}  // namespace cairn::sandbox
