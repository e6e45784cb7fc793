// Ways out of the sandbox, each three times: held with all layers; held by each layer that is said to hold it, when the
// others that hold it are taken away; and open when all of them are. So a row fails if a protection is lost, and if it
// is not what holds.
//
// What needs more than a table follows. Bounds: limits_test.cc.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cstddef>
#include <filesystem>

#include "common/base/unique_fd.h"
#include "tests/sandbox/support.h"

namespace cairn::sandbox {
namespace {

using testing::HasSubstr;
using testing::Not;

bool is_root() { return ::geteuid() == 0; }

class EscapesTest : public testing::Test {
 protected:
  // Whether the probe got out of a sandbox without these layers.
  bool escapes(const std::vector<std::string>& words, uint32_t without, SandboxOptions options = {}) {
    options.readonly_paths.push_back(std::filesystem::path(places.probe).parent_path());
    const std::unique_ptr<Sandbox> sandbox = open_sandbox(std::move(options));
    if (sandbox == nullptr) return false;
    SandboxForTests::take_away(*sandbox, without);
    SandboxSpec spec = probe_spec(words);
    // Without a root of its own there is no /job: the probe is executed where it lies.
    if ((without & kLayerMounts) != 0) spec.argv[0] = places.probe;
    const Ran ran = run_here(*sandbox, spec);
    last_ = ran.text();
    EXPECT_THAT(ran.output, testing::AnyOf(HasSubstr("escaped"), HasSubstr("held"))) << last_;
    return ran.output.find("escaped") != std::string::npos;
  }

  // `others` weaken without holding by themselves: they are away in all but the first run.
  void expect_held_by(const std::vector<std::string>& words, uint32_t holders, uint32_t others = 0,
                      const SandboxOptions& options = {}) {
    EXPECT_FALSE(escapes(words, 0, options)) << last_;
    for (uint32_t layer = 1; layer <= kLayerAll; layer <<= 1) {
      if ((layer & holders) == 0) continue;
      EXPECT_FALSE(escapes(words, others | (holders & ~layer), options))
          << words[0] << ": layer " << std::countr_zero(layer) << " does not hold alone: " << last_;
    }
    EXPECT_TRUE(escapes(words, others | holders, options)) << words[0] << " is held by something else too: " << last_;
  }
  int landlock_abi() { return open_sandbox()->abilities().landlock_abi; }

  std::string last_;
};

UniqueFd listen_on_loopback(uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::listen(fd.get(), 16), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  port = ntohs(address.sin_port);
  return fd;
}

// Held by: no socket call in the filter; an empty namespace of networks; Landlock's TCP rules.
TEST_F(EscapesTest, NetworkOfTheHost) {
  uint16_t port = 0;
  const UniqueFd listener = listen_on_loopback(port);
  uint32_t holders = kLayerSeccomp | kLayerNetwork;
  if (landlock_abi() >= 4) holders |= kLayerLandlock;
  expect_held_by({"connect", std::to_string(port)}, holders);
}

// Held by: no socket call; the namespace of networks, to which abstract names belong; Landlock's scope.
TEST_F(EscapesTest, AbstractSocketsOfTheHost) {
  const std::string name = "cairn-test-" + std::to_string(::getpid());
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener.get(), 16), 0);
  uint32_t holders = kLayerSeccomp | kLayerNetwork;
  if (landlock_abi() >= 6) holders |= kLayerLandlock;
  expect_held_by({"abstract", name}, holders);
}

// Held by: a root without the host's files; Landlock. Everybody may read the file: only these two are in the way. A
// data directory of the cluster is such a folder.
TEST_F(EscapesTest, FilesOfTheHostAreRead) {
  const std::string secret = places.folder + "/secret";
  write_file(secret, "secret");
  ::chmod(secret.c_str(), 0644);
  expect_held_by({"read", secret}, kLayerMounts | kLayerLandlock);
  expect_held_by({"links", secret}, kLayerMounts | kLayerLandlock);
  ::unlink(secret.c_str());
}
TEST_F(EscapesTest, WellKnownFilesAreNotThere) {
  for (const char* path : {"/etc/passwd", "/etc/shadow", "/etc/hostname", "/root/.bashrc", "/home",
                           "/var/lib/dpkg/status", "/sys/kernel/notes", "/run", "/tmp/../etc/passwd"})
    EXPECT_FALSE(escapes({"read", path}, kLayerLandlock)) << path << ": " << last_;
}

// Held by: a root without the host's folders; Landlock. Everybody may write to this one.
TEST_F(EscapesTest, FilesOfTheHostAreWritten) {
  const std::string folder = places.folder + "/open";
  std::filesystem::create_directory(folder);
  ::chmod(folder.c_str(), 0777);
  expect_held_by({"write", folder + "/file"}, kLayerMounts | kLayerLandlock);
}
// Held by: mounts that are read-only (and by ownership).
TEST_F(EscapesTest, OnlyScratchCanBeWritten) {
  for (const char* path : {"/x", "/usr/x", "/usr/bin/env", "/etc/x", "/dev/x", "/job/x", kProgramPath, "/proc/x",
                           "/proc/self/oom_score_adj", "/proc/self/comm", "/dev/shm/x"})
    EXPECT_FALSE(escapes({"write", path}, kLayerLandlock)) << path << ": " << last_;
  EXPECT_TRUE(escapes({"write", "/scratch/x"}, 0)) << last_;
  EXPECT_TRUE(escapes({"write", "/tmp/x"}, 0)) << last_;
}
// Held by: /scratch is noexec; Landlock gives no right to execute there.
TEST_F(EscapesTest, WhatIsWrittenIsNotExecuted) {
  const std::unique_ptr<Sandbox> sandbox = open_sandbox();
  for (const uint32_t without : {0u, +kLayerLandlock}) {
    SandboxForTests::take_away(*sandbox, without);
    const Ran ran = run_here(*sandbox, shell_spec("cp /usr/bin/env /scratch/env; chmod 700 env; ./env"));
    EXPECT_EQ(ran.outcome.exit_code, 126) << ran.text();
  }
}
TEST_F(EscapesTest, OnlyHarmlessDevicesAreThere) {
  const Ran ran = run_here(*open_sandbox(), shell_spec("ls /dev; head -c 4 /dev/urandom | wc -c; echo x > /dev/null;"
                                                       "echo x > /dev/full || echo full"));
  EXPECT_EQ(ran.output, "fd\nfull\nnull\nstderr\nstdin\nstdout\nurandom\nzero\n4\nfull\n") << ran.text();
  for (const char* path : {"/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/ptmx", "/dev/fuse", "/dev/kvm", "/dev/tty"})
    EXPECT_FALSE(escapes({"read", path}, kLayerLandlock)) << path;
}

// Held by: the namespace of processes, in which the number means nobody; Landlock's scope; and as root another uid.
TEST_F(EscapesTest, SignalsToProcessesOfTheHost) {
  const std::vector<std::string> words = {"signal", std::to_string(::getpid())};
  if (is_root()) {
    EXPECT_FALSE(escapes(words, 0));
    // Without any of the two it is the uid that holds.
    EXPECT_FALSE(escapes(words, kLayerPids | kLayerLandlock)) << last_;
    return;
  }
  uint32_t holders = kLayerPids;
  if (landlock_abi() >= 6) holders |= kLayerLandlock;
  expect_held_by(words, holders);
}

// Held by: the filter; the namespace of processes; Landlock, whose domains do not trace outwards; a user namespace with
// no capability in ours.
TEST_F(EscapesTest, ProcessesOfTheHostAreTraced) {
  const std::vector<std::string> words = {"trace", std::to_string(::getpid())};
  EXPECT_FALSE(escapes(words, 0));
  EXPECT_FALSE(escapes(words, kLayerAll & ~(kLayerSeccomp | kLayerMounts | kLayerUser))) << last_;
  EXPECT_FALSE(escapes(words, kLayerSeccomp | kLayerLandlock)) << "the namespace alone: " << last_;
  EXPECT_FALSE(escapes(words, kLayerSeccomp | kLayerPids)) << "Landlock alone: " << last_;
}
// Held by: the filter alone. Its own children are no way out, but ptrace is a large part of the kernel.
TEST_F(EscapesTest, NobodyIsTraced) { expect_held_by({"trace-child"}, kLayerSeccomp); }

// Held by: the launcher closes what it was given; init closes what is left at exec. One layer for the test.
TEST_F(EscapesTest, DescriptorsOfTheCaller) {
  const std::string secret = places.folder + "/open-secret";
  write_file(secret, "secret");
  const UniqueFd inherited(::open(secret.c_str(), O_RDONLY));  // without O_CLOEXEC
  ASSERT_TRUE(inherited.valid());
  expect_held_by({"descriptors"}, kLayerDescriptors);
}

// Held by: the filter; no capability, since the id is not root's in any namespace, so that execve drops them, and since
// they are dropped before. That cannot be taken away here.
TEST_F(EscapesTest, Mounts) {
  EXPECT_FALSE(escapes({"mount"}, 0));
  EXPECT_THAT(last_, HasSubstr("Function not implemented"));
  EXPECT_FALSE(escapes({"mount"}, kLayerSeccomp));
  EXPECT_THAT(last_, HasSubstr("Operation not permitted"));
}

// Held by: the filter, also for clone's flags (clone3 is not there). A new user namespace would give capabilities over
// much of the kernel.
TEST_F(EscapesTest, NamespacesOfItsOwn) {
  expect_held_by({"unshare"}, kLayerSeccomp);
  expect_held_by({"clone-user"}, kLayerSeccomp);
}

// Held by: the filter, for each of some fifty: ENOSYS where the kernel would say something else. Among them bpf,
// keyctl, perf_event_open, io_uring, modules, chroot, setns, and the making of sockets and devices.
TEST_F(EscapesTest, SystemCallsThatAreNotOnTheList) { expect_held_by({"calls"}, kLayerSeccomp); }

// x32's calls have other numbers, which a filter may forget. Held by: the filter ends the process.
TEST_F(EscapesTest, SystemCallsOfAnotherArchitecture) {
#if defined(__x86_64__)
  const std::unique_ptr<Sandbox> sandbox = open_sandbox();
  SandboxSpec spec;
  spec.program = read_file(places.probe);
  spec.argv = {kProgramPath, "x32"};
  EXPECT_EQ(run_here(*sandbox, spec).outcome.signal, SIGSYS);
  SandboxForTests::take_away(*sandbox, kLayerSeccomp);
  EXPECT_NE(run_here(*sandbox, spec).outcome.signal, SIGSYS);
#else
  GTEST_SKIP() << "this machine has no second set of system calls";
#endif
}

// Held by: no terminal in reach (a session of its own, no /dev/tty), and TIOCSTI is not among the ioctls of the filter.
TEST_F(EscapesTest, TypingIntoATerminal) {
  EXPECT_FALSE(escapes({"terminal"}, 0));
  EXPECT_THAT(last_, HasSubstr("Function not implemented")) << "the filter knows the ioctl";
  EXPECT_FALSE(escapes({"terminal"}, kLayerSeccomp));
}

// Held by: a namespace of processes and /proc with nothing but processes (subset=pid).
TEST_F(EscapesTest, ProcOfTheHost) {
  const std::unique_ptr<Sandbox> sandbox = open_sandbox();
  if (!sandbox->abilities().proc) GTEST_SKIP() << "this kernel, or the container, gives no /proc to a namespace";
  for (const char* path : {"/proc/sysrq-trigger", "/proc/kcore", "/proc/kallsyms", "/proc/sys/kernel/core_pattern",
                           "/proc/1/environ", "/proc/1/mem", "/proc/1/maps", "/proc/1/root/etc/passwd", "/proc/keys",
                           "/proc/bus", "/proc/cmdline", "/proc/version"})
    EXPECT_FALSE(escapes({"read", path}, kLayerLandlock)) << path << ": " << last_;
  EXPECT_FALSE(escapes({"write", "/proc/sysrq-trigger"}, kLayerLandlock));
  // No number of a process but its own, and none of ours.
  const Ran ran = run_here(*sandbox, shell_spec("cd /proc; echo [0-9]*"));
  EXPECT_THAT(ran.output, Not(HasSubstr(std::to_string(::getpid())))) << ran.text();
  EXPECT_TRUE(escapes({"read", "/proc/self/status"}, 0)) << last_;
}

// Held by: no_new_privs; mounts that are nosuid; the user namespace, in which root's id is nobody's.
TEST_F(EscapesTest, SetuidProgramsStayWhatTheyAre) {
  if (!is_root()) GTEST_SKIP() << "only root can make a program setuid root";
  const std::string folder = places.folder + "/setuid", program = folder + "/probe";
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file(places.probe, program);
  ASSERT_EQ(::chmod(program.c_str(), 04755), 0);
  const std::unique_ptr<Sandbox> sandbox = open_sandbox({.readonly_paths = {folder}});
  SandboxSpec spec = probe_spec({"who"});
  spec.argv[0] = program;
  EXPECT_EQ(run_here(*sandbox, spec).output, "uid 1000 1000 gid 1000 1000 no_new_privs 1\n");
  // Without each of them the others hold.
  SandboxForTests::take_away(*sandbox, kLayerNoNewPrivs | kLayerSeccomp | kLayerLandlock);
  EXPECT_EQ(run_here(*sandbox, spec).output, "uid 1000 1000 gid 1000 1000 no_new_privs 0\n");
  // In the host's mounts and users it is root.
  SandboxForTests::take_away(*sandbox, kLayerUser | kLayerMounts);
  EXPECT_THAT(run_here(*sandbox, spec).output, testing::ContainsRegex("uid [0-9]+ 0 gid"));
}

// Held by: the ids are mapped to nobody's, all capabilities are dropped.
TEST_F(EscapesTest, NoCapabilityIsKept) {
  const std::unique_ptr<Sandbox> sandbox = open_sandbox();
  if (!sandbox->abilities().proc) GTEST_SKIP() << "no /proc to read them from";
  const Ran ran =
      run_here(*sandbox, shell_spec("grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status; id -u"));
  const std::string zeros = "0000000000000000";
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_THAT(ran.output, HasSubstr(set + (":\t" + zeros)));
  EXPECT_THAT(ran.output, HasSubstr("NoNewPrivs:\t1\nSeccomp:\t2"));
  EXPECT_THAT(ran.output, HasSubstr("\n1000\n"));
}
TEST_F(EscapesTest, RootsProgramsHaveAnIdThatNoAccountHas) {
  if (!is_root()) GTEST_SKIP() << "an ordinary user's programs have its own id";
  const std::unique_ptr<Sandbox> sandbox = open_sandbox();
  std::string id;
  const auto run = sandbox->start(shell_spec("echo ready; exec cat"), [&](std::string_view) {
    // The program runs and waits: whoever has the id now is it.
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      struct stat found {};
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") == std::string::npos && ::stat(entry.path().c_str(), &found) == 0 &&
          found.st_uid >= 0x7000'0000)
        id = std::to_string(found.st_uid);
    }
    return Status();
  });
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE((*run)->finish().ok());
  EXPECT_NE(id, "");
}

// Held by: rlimit 1, which also stops programs that core_pattern names.
TEST_F(EscapesTest, CoreDumps) {
  EXPECT_FALSE(escapes({"crash"}, 0)) << last_;
  const std::string pattern = read_file("/proc/sys/kernel/core_pattern");
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_CORE, &limit);
  if (!pattern.starts_with("core") || limit.rlim_cur == 0) return;  // elsewhere, or nobody here may have one
  EXPECT_TRUE(escapes({"crash"}, kLayerRlimits)) << "is held by something else too: " << last_;
}

// Held by: each run has a tmpfs of its own, which goes with its namespace.
TEST_F(EscapesTest, ScratchOfAnotherRunIsNotThere) {
  const std::unique_ptr<Sandbox> sandbox = open_sandbox();
  EXPECT_TRUE(run_here(*sandbox, shell_spec("echo secret > /scratch/file")).outcome.ok());
  EXPECT_EQ(run_here(*sandbox, shell_spec("ls -A /scratch")).output, "");
}

}  // namespace
}  // namespace cairn::sandbox
