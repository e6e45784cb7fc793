#include "common/sandbox/seccomp_filter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "common/base/errno_error.h"
#include "common/base/unique_fd.h"

namespace cairn::sandbox {
namespace {

// What awk, sort, sh, perl and python3 use over files, pipes, threads and children of their own. Missing on purpose,
// besides what asks for a capability: sockets of any kind; memfd_create and System V (memory that no rlimit counts);
// io_uring, userfaultfd, bpf, perf_event_open, keyctl (large parts of the kernel that a filter of lines does not need);
// ptrace, process_vm_*, kcmp, pidfd_getfd; unshare, setns, mount, chroot, clone3 (its flags are in memory, which no
// filter sees: the C library goes on with clone); open_by_handle_at; personality; execveat.
constexpr const char* kAllowed[] = {
    // files
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "open",
    "openat",
    "openat2",
    "creat",
    "close",
    "close_range",
    "lseek",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "getdents",
    "getdents64",
    "getcwd",
    "chdir",
    "fchdir",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "readlink",
    "readlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "umask",
    "truncate",
    "ftruncate",
    "fallocate",
    "fadvise64",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "sendfile",
    "copy_file_range",
    "splice",
    "tee",
    "flock",
    "fcntl",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    // waiting
    "select",
    "pselect6",
    "poll",
    "ppoll",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "signalfd",
    "signalfd4",
    "pause",
    "nanosleep",
    "clock_nanosleep",
    "futex",
    "futex_waitv",
    "restart_syscall",
    // memory
    "brk",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "msync",
    "mincore",
    "membarrier",
    "rseq",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    // processes and signals
    "fork",
    "vfork",
    "execve",
    "exit",
    "exit_group",
    "wait4",
    "waitid",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigsuspend",
    "rt_sigreturn",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "sigaltstack",
    "set_tid_address",
    "set_robust_list",
    "get_robust_list",
    "arch_prctl",
    "getpid",
    "getppid",
    "gettid",
    "getpgid",
    "setpgid",
    "getpgrp",
    "getsid",
    "setsid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "capget",
    "getpriority",
    "setpriority",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "getcpu",
    // time, limits, the machine
    "time",
    "gettimeofday",
    "clock_gettime",
    "clock_getres",
    "times",
    "alarm",
    "setitimer",
    "getitimer",
    "timer_create",
    "timer_settime",
    "timer_gettime",
    "timer_getoverrun",
    "timer_delete",
    "getrlimit",
    "setrlimit",
    "prlimit64",
    "getrusage",
    "uname",
    "sysinfo",
    "getrandom",
};
constexpr unsigned long kAllowedIoctls[] = {TCGETS, FIONREAD, FIOCLEX, FIONCLEX, FIONBIO, TIOCGWINSZ};
constexpr unsigned long kAllowedPrctls[] = {PR_SET_NAME,     PR_GET_NAME,         PR_SET_PDEATHSIG, PR_GET_DUMPABLE,
                                            PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP,   PR_SET_TIMERSLACK};
constexpr unsigned long kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

struct ReleaseFilter {
  void operator()(void* context) const { seccomp_release(context); }
};

Error filter_error(const char* step, int result) {
  return {Errc::io, fmt::format("seccomp: {}: error {}", step, -result)};
}

Status allow(scmp_filter_ctx filter, const char* name, const scmp_arg_cmp* compare) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number < 0) return {};  // this architecture, or this libseccomp, has no such call: it stays refused
  const int result = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, compare == nullptr ? 0 : 1, compare);
  if (result != 0) return filter_error(name, result);
  return {};
}

Status add_rules(scmp_filter_ctx filter) {
  for (const char* name : kAllowed) TRY(allow(filter, name, nullptr));
  for (const unsigned long request : kAllowedIoctls) {
    const scmp_arg_cmp compare = SCMP_A1(SCMP_CMP_EQ, request);
    TRY(allow(filter, "ioctl", &compare));
  }
  for (const unsigned long option : kAllowedPrctls) {
    const scmp_arg_cmp compare = SCMP_A0(SCMP_CMP_EQ, option);
    TRY(allow(filter, "prctl", &compare));
  }
  // Of shared memory without a file nobody could tell how much there is: pages stay that no process maps any more.
  const scmp_arg_cmp own = SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED, 0);
  const scmp_arg_cmp of_file = SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0);
  TRY(allow(filter, "mmap", &own));
  TRY(allow(filter, "mmap", &of_file));
  const scmp_arg_cmp plain = SCMP_A0(SCMP_CMP_MASKED_EQ, kNewNamespaces, 0);
  return allow(filter, "clone", &plain);
}

}  // namespace

Result<std::string> seccomp_filter() {
  const std::unique_ptr<void, ReleaseFilter> filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (filter == nullptr) return {Errc::io, "seccomp: no memory"};
  if (const int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS); result != 0)
    return filter_error("architecture", result);
  // A tree instead of a list: about 8 comparisons for each call of the program instead of up to 200.
  if (const int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); result != 0)
    return filter_error("optimize", result);
  TRY(add_rules(filter.get()));
  const UniqueFd file(::memfd_create("cairn-seccomp", MFD_CLOEXEC));
  if (!file.valid()) return file_error("memfd_create", "seccomp", errno);
  if (const int result = seccomp_export_bpf(filter.get(), file.get()); result != 0)
    return filter_error("export", result);
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return file_error("stat", "seccomp", errno);
  std::string program(static_cast<size_t>(found.st_size), '\0');
  if (::pread(file.get(), program.data(), program.size(), 0) != found.st_size)
    return file_error("read", "seccomp", errno);
  return program;
}

}  // namespace cairn::sandbox
