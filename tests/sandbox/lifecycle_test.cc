// Ends that are not the program's own: cancelled, its supervisor killed, its caller killed. Nothing of it may be left.
// Also the ways other than namespaces of our own: root without one for users, and bubblewrap.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "common/base/random.h"
#include "common/base/thread.h"
#include "common/base/unique_fd.h"
#include "common/sandbox/refusal.h"
#include "tests/sandbox/support.h"

namespace cairn::sandbox {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

// The processes of this machine whose command line has the word.
std::vector<pid_t> processes_with(const std::string& word) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (read_file(entry.path() / "cmdline").find(word) != std::string::npos) out.push_back(std::stoi(name));
  }
  return out;
}
pid_t parent_of(pid_t pid) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const size_t at = status.find("PPid:");
  return at == std::string::npos ? -1 : std::stoi(status.substr(at + 5));
}
UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }
bool ends_within_10s(const UniqueFd& pidfd) {
  pollfd ended{pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, 10'000) == 1;
}

// A program that says "ready" with a word of its own, and then waits for input.
SandboxSpec waiting(const std::string& word) {
  SandboxSpec spec = shell_spec("echo ready; while read line; do :; done; : " + word);  // of one process
  spec.limits.wall = std::chrono::minutes(2);
  return spec;
}
std::string new_word() { return "cairn-test-" + std::to_string(random_seed()); }

// The chain of a run: the program, init, and the supervisor.
struct Chain {
  std::vector<UniqueFd> pidfds;
  pid_t supervisor = -1;
  bool all_end() const {
    for (const UniqueFd& pidfd : pidfds) {
      if (!ends_within_10s(pidfd)) return false;
    }
    return !pidfds.empty();
  }
};
Chain chain_of(const std::string& word) {
  Chain chain;
  for (const pid_t pid : processes_with(word)) {
    if (pid == ::getpid() || parent_of(pid) == ::getpid()) continue;
    const pid_t init = parent_of(pid);
    if (parent_of(init) <= 1) continue;
    chain.supervisor = parent_of(init);
    chain.pidfds.push_back(open_pidfd(pid));
    chain.pidfds.push_back(open_pidfd(init));
    chain.pidfds.push_back(open_pidfd(chain.supervisor));
  }
  return chain;
}

class LifecycleTest : public testing::Test {
 protected:
  void SetUp() override {
    sandbox_ = open_sandbox();
    ASSERT_NE(sandbox_, nullptr);
  }
  std::unique_ptr<Sandbox> sandbox_;
};

TEST_F(LifecycleTest, AnotherThreadCancels) {
  sandbox::Run* running = nullptr;
  Thread other;
  Result<std::unique_ptr<sandbox::Run>> run =
      sandbox_->start(shell_spec("echo ready; sleep 100"), [&](std::string_view) {
        other = Thread("cancel", [&] { running->cancel(); });
        return Status();
      });
  ASSERT_TRUE(run.ok());
  running = run->get();
  while (!other.joinable()) ASSERT_TRUE((*run)->feed("x").ok());
  const Result<Outcome> outcome = (*run)->finish();
  other.join();
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->hit, Hit::cancelled);
  EXPECT_EQ(outcome->message(), "it was cancelled");
}

// Held by: init's PDEATHSIG, and the namespace of processes, which ends with init.
TEST_F(LifecycleTest, NothingIsLeftIfTheSupervisorIsKilled) {
  const std::string word = new_word();
  Chain chain;
  const auto run = sandbox_->start(waiting(word), [&](std::string_view) {
    chain = chain_of(word);
    ::kill(chain.supervisor, SIGKILL);
    return Status();
  });
  ASSERT_TRUE(run.ok());
  while (chain.pidfds.empty()) ASSERT_TRUE((*run)->feed("x").ok());
  EXPECT_TRUE(chain.all_end());
  const Result<Outcome> outcome = (*run)->finish();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.code(), Errc::io);
}

// Held by: the supervisor sees the end of the control socket.
TEST_F(LifecycleTest, NothingIsLeftIfTheCallerIsKilled) {
  const std::string word = new_word();
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const UniqueFd ours(ready[0]);
  UniqueFd theirs(ready[1]);
  const pid_t caller = ::fork();
  if (caller == 0) {
    const auto run = sandbox_->start(waiting(word), [&](std::string_view bytes) {
      (void)!::write(theirs.get(), bytes.data(), bytes.size());
      return Status();
    });
    if (run.ok()) {
      while ((*run)->feed("x").ok()) {
      }
    }
    ::_exit(1);
  }
  theirs = UniqueFd();
  char byte;
  EXPECT_EQ(::read(ours.get(), &byte, 1), 1) << "the program did not get ready";
  const Chain chain = chain_of(word);
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  EXPECT_EQ(chain.pidfds.size(), 3u);
  EXPECT_TRUE(chain.all_end());
  EXPECT_EQ(processes_with(word), std::vector<pid_t>());
}

// Where users have no namespaces root goes on without: by the id alone.
TEST_F(LifecycleTest, RootDoesWithoutANamespaceOfUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "for root alone";
  SandboxForTests::take_away(*sandbox_, kLayerUser);
  const Ran ran = run_here(*sandbox_,
                           shell_spec("id -u; cat; echo kept > file; cat file; grep Cap /proc/self/status;"
                                      "cat /etc/shadow || echo held; ls /scratch"),
                           "input\n");
  const uint32_t id = static_cast<uint32_t>(std::stoul("0" + ran.output.substr(0, ran.output.find('\n'))));
  EXPECT_GE(id, 0x7000'0000u) << ran.text();
  EXPECT_THAT(ran.output, HasSubstr("\ninput\nkept\n"));
  EXPECT_THAT(ran.output, HasSubstr("CapBnd:\t0000000000000000"));
  EXPECT_THAT(ran.output, HasSubstr("held\nfile\n"));
  const Ran bomb = run_here(*sandbox_, probe_spec({"fork", "60"}));
  EXPECT_THAT(bomb.output, HasSubstr("held: fork")) << bomb.text();
}

// What an ordinary user's programs get where user namespaces are forbidden and bubblewrap is setuid: forks and all.
void expect_held(const Sandbox& sandbox) {
  SandboxSpec script = shell_spec("");
  script.argv = {kProgramPath};
  script.program =
      "#!/bin/sh\ncat; echo kept > /scratch/file; cat /tmp/file; env | sort | head -1; ls -d /home /proc; echo x > /x "
      "|| echo held";
  const Ran ran = run_here(sandbox, script, "input\n");
  EXPECT_EQ(ran.output, "input\nkept\nHOME=/scratch\nheld\n") << ran.text();
  EXPECT_THAT(run_here(sandbox, probe_spec({"calls"})).output, HasSubstr("held")) << "the filter";
  for (const char* path : {"/etc/passwd", "/root/.bashrc", "/var/lib/dpkg/status", "/proc/self/status"})
    EXPECT_THAT(run_here(sandbox, probe_spec({"read", path})).output, HasSubstr("held")) << path;
  EXPECT_THAT(run_here(sandbox, probe_spec({"signal", std::to_string(::getpid())})).output, HasSubstr("held"));
  EXPECT_THAT(run_here(sandbox, probe_spec({"descriptors"})).output, HasSubstr("held"));
  EXPECT_EQ(run_here(sandbox, shell_spec("exit 7")).outcome.exit_code, 7);
  SandboxSpec memory = probe_spec({"memory", "300"});
  memory.limits.memory_bytes = 64u << 20;
  EXPECT_EQ(run_here(sandbox, memory).outcome.hit, Hit::memory);
  SandboxSpec slow = probe_spec({"wait"});
  slow.limits.wall = std::chrono::milliseconds(300);
  EXPECT_EQ(run_here(sandbox, slow).outcome.hit, Hit::wall);
  SandboxSpec full = shell_spec("head -c 3000000 /dev/zero > a; head -c 3000000 /dev/zero > b && sleep 10");
  full.limits.scratch_bytes = 4u << 20;
  const Ran filled = run_here(sandbox, full);
  EXPECT_TRUE(filled.outcome.hit == Hit::scratch || filled.outcome.exit_code == 1 ||
              filled.outcome.error_tail.find("No space left") != std::string::npos)
      << filled.text();
  SandboxSpec bomb = probe_spec({"fork", "100"});
  bomb.limits.processes = 8;
  EXPECT_THAT(run_here(sandbox, bomb).output, HasSubstr("held: fork"));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

// Without the privilege it makes a namespace of users itself.
TEST_F(LifecycleTest, BubblewrapHoldsAsWell) {
  if (!fs::exists("/usr/bin/bwrap")) GTEST_SKIP() << "bubblewrap is not installed";
  if (::geteuid() == 0) GTEST_SKIP() << "for ordinary users alone: root needs no bubblewrap";
  SandboxForTests::through_bubblewrap(*sandbox_);
  expect_held(*sandbox_);
}

TEST_F(LifecycleTest, BubblewrapThatIsSetuidHoldsAsWell) {
  if (places.bubblewrap.empty()) GTEST_SKIP() << "bubblewrap is not installed, or root did not start the tests";
  if (::geteuid() == 0) GTEST_SKIP() << "for ordinary users alone: root needs no bubblewrap";
  const auto sandbox = open_sandbox({.bubblewrap = places.bubblewrap});
  SandboxForTests::through_bubblewrap(*sandbox);
  expect_held(*sandbox);
}

TEST(RefusalTest, SaysWhichSettingForbidsIt) {
  const auto with = [](const std::string& path, const std::string& value) {
    return [=](const std::string& asked) { return asked == path ? value : std::string(); };
  };
  EXPECT_THAT(explain_refusal("make namespaces", EPERM, with("kernel/unprivileged_userns_clone", "0")),
              HasSubstr("sysctl kernel.unprivileged_userns_clone=1"));
  EXPECT_THAT(explain_refusal("make namespaces", ENOSPC, with("user/max_user_namespaces", "0")),
              HasSubstr("sysctl user.max_user_namespaces=15000"));
  EXPECT_THAT(explain_refusal("make mounts private", EACCES, with("kernel/apparmor_restrict_unprivileged_userns", "1")),
              HasSubstr("sysctl kernel.apparmor_restrict_unprivileged_userns=0"));
  EXPECT_THAT(explain_refusal("make namespaces", EPERM, with("", "")), HasSubstr("by the container"));
  EXPECT_THAT(explain_refusal("/usr", ENOENT, with("", "")), testing::Not(HasSubstr("namespaces")));
}

TEST(RefusalTest, AMissingLauncherIsNamed) {
  const auto sandbox = Sandbox::open({.launcher = "/nowhere/cairn-sandbox"});
  ASSERT_FALSE(sandbox.ok());
  EXPECT_EQ(sandbox.code(), Errc::not_found);
  EXPECT_THAT(sandbox.error().what, HasSubstr("/nowhere/cairn-sandbox"));
}

TEST(RefusalTest, ACgroupWithoutControllersIsNamed) {
  // Not a cgroup at all: what would bound memory is not there.
  const auto sandbox = Sandbox::open({.launcher = places.launcher, .cgroup = places.folder});
  ASSERT_FALSE(sandbox.ok());
  EXPECT_EQ(sandbox.code(), Errc::not_supported);
  EXPECT_THAT(sandbox.error().what, HasSubstr("memory.max"));
  for (const auto& entry : fs::directory_iterator(places.folder))
    EXPECT_FALSE(entry.path().filename().string().starts_with("run-")) << entry.path();
}

TEST(RefusalTest, ReadOnlyPathsAreDirectoriesWithoutLinks) {
  for (const char* path : {"relative", "/", "/usr/../usr", "/nowhere", "/tmp", "/proc/1", "/bin/sh"}) {
    const auto sandbox = Sandbox::open({.launcher = places.launcher, .readonly_paths = {path}});
    EXPECT_FALSE(sandbox.ok()) << path;
  }
}

}  // namespace
}  // namespace cairn::sandbox
