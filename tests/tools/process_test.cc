#include "tools/cairn/process.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace cairn::tools {
namespace {

class ProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "cairn-process-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string log() const { return directory_ + "/log"; }
  std::string directory_;
};

TEST_F(ProcessTest, AStartedProcessRunsUntilItIsTerminated) {
  const Result<ProcessId> process = start_detached({"/bin/sleep", "1000"}, log());
  ASSERT_TRUE(process.ok());
  EXPECT_TRUE(running(*process));
  const Result<bool> killed = terminate(*process, 10s);
  ASSERT_TRUE(killed.ok());
  EXPECT_FALSE(*killed);
  EXPECT_FALSE(running(*process));
}

TEST_F(ProcessTest, OneThatIgnoresSigtermIsKilled) {
  // It says in its log when the signal is ignored.
  const Result<ProcessId> process =
      start_detached({"/bin/sh", "-c", "trap '' TERM; echo ready; exec sleep 1000"}, log());
  ASSERT_TRUE(process.ok());
  const Instant deadline = real_clock().now() + 10s;
  while (tail_of(log(), 1).find("ready") == std::string::npos && real_clock().now() < deadline) ::sched_yield();
  const Result<bool> killed = terminate(*process, 200ms);
  ASSERT_TRUE(killed.ok());
  EXPECT_TRUE(*killed);
}

TEST_F(ProcessTest, AProcessRunsUntilItsLastThreadHasEnded) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(ends[1]);
    std::thread([end = ends[0]] {
      char byte = 0;
      (void)!::read(end, &byte, 1);  // until the parent closes its end
      ::_exit(0);
    }).detach();
    ::syscall(SYS_exit, 0);  // of the first thread alone
  }
  ::close(ends[0]);
  const Result<ProcessId> process = identify(child);
  ASSERT_TRUE(process.ok());
  const auto first_thread_is_zombie = [child] {
    std::ifstream file("/proc/" + std::to_string(child) + "/stat");
    std::string line;
    std::getline(file, line);
    return line.find(") Z ") != std::string::npos;
  };
  const Instant deadline = real_clock().now() + 10s;
  while (!first_thread_is_zombie() && real_clock().now() < deadline) ::sched_yield();
  EXPECT_TRUE(first_thread_is_zombie());
  EXPECT_TRUE(running(*process)) << "it may still hold files and locks";
  ::close(ends[1]);
  EXPECT_TRUE(wait_until_gone(*process, 10s).ok());
  EXPECT_FALSE(running(*process));
  ::waitpid(child, nullptr, 0);
}

TEST_F(ProcessTest, AnotherProcessOfTheSameNumberIsNotMeant) {
  Result<ProcessId> self = identify(::getpid());
  ASSERT_TRUE(self.ok());
  EXPECT_TRUE(running(*self));
  ProcessId earlier = *self;
  earlier.start_ticks -= 1;
  EXPECT_FALSE(running(earlier));
  EXPECT_TRUE(send_signal(earlier, SIGKILL).ok());  // this test goes on
  ProcessId other_boot = *self;
  other_boot.boot = "00000000-0000-0000-0000-000000000000";
  EXPECT_FALSE(running(other_boot));
  EXPECT_TRUE(send_signal(other_boot, SIGKILL).ok());
  EXPECT_FALSE(running(ProcessId{}));
}

TEST_F(ProcessTest, AProgramThatCannotBeExecutedIsAnError) {
  EXPECT_FALSE(start_detached({"/does/not/exist"}, log()).ok());
  EXPECT_FALSE(start_detached({"/bin/true"}, directory_ + "/none/log").ok());
}

TEST_F(ProcessTest, ExitCodesComeBack) {
  const Result<int> code = run_and_wait({"/bin/sh", "-c", "exit 7"});
  ASSERT_TRUE(code.ok());
  EXPECT_EQ(*code, 7);
  EXPECT_EQ(run_and_wait({"/does/not/exist"}).code(), Errc::not_found);
}

TEST_F(ProcessTest, TheTailOfALogIsItsLastLines) {
  ASSERT_TRUE(run_and_wait({"/bin/sh", "-c", "printf 'a\\nb\\nc\\n' >" + log()}).ok());
  EXPECT_EQ(tail_of(log(), 2), "\n    b\n    c");
  EXPECT_EQ(tail_of(directory_ + "/none", 2), "");
}

}  // namespace
}  // namespace cairn::tools
