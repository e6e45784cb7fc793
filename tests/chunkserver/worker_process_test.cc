#include "chunkserver/worker_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "common/base/thread.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

constexpr Duration kDeadline = 30s;

TEST(RestartPlanTest, PausesDoubleUntilItHasRunWell) {
  RestartPlan plan;
  EXPECT_EQ(plan.on_end(0s), 1s);
  EXPECT_EQ(plan.on_end(59s), 2s);
  for (int i = 0; i < 10; ++i) (void)plan.on_end(0s);
  EXPECT_EQ(plan.on_end(0s), 60s);
  EXPECT_EQ(plan.on_end(60s), 1s);
}

class WorkerProcessTest : public ::testing::Test {
 protected:
  // A shell that adds its pid to a file and then does what the script says.
  WorkerProcess::Options shell(const std::string& script) {
    return {{"/bin/sh", "-c", "echo $$ >> " + pids_ + "; " + script}, [](Instant) { return true; }, 10s};
  }
  std::vector<pid_t> pids() {
    std::ifstream file(pids_);
    std::vector<pid_t> found;
    for (pid_t pid = 0; file >> pid;) found.push_back(pid);
    return found;
  }
  bool eventually(const std::function<bool()>& condition) {
    const Instant deadline = real_clock().now() + kDeadline;
    Mutex mutex;
    CondVar never;
    Lock lock(mutex);
    while (!condition()) {
      if (real_clock().now() > deadline) return false;
      (void)never.wait_until(lock, real_clock().now() + 5ms);
    }
    return true;
  }
  static bool gone(pid_t pid) { return ::kill(pid, 0) != 0; }

  test::TemporaryDirectory directory_;
  const std::string pids_ = directory_.path() + "/pids";
};

TEST_F(WorkerProcessTest, RunsUntilItIsStopped) {
  WorkerProcess worker(real_clock(), shell("exec sleep 600"));
  ASSERT_TRUE(worker.start().ok());
  ASSERT_TRUE(eventually([&] { return pids().size() == 1; }));
  EXPECT_EQ(worker.pid(), pids()[0]);
  worker.stop();
  EXPECT_EQ(worker.pid(), 0);
  EXPECT_TRUE(gone(pids()[0]));
  worker.stop();
}

TEST_F(WorkerProcessTest, IsStartedAgainAfterItsEnd) {
  WorkerProcess worker(real_clock(), shell("exec sleep 600"));
  ASSERT_TRUE(worker.start().ok());
  ASSERT_TRUE(eventually([&] { return pids().size() == 1; }));
  ::kill(worker.pid(), SIGKILL);
  ASSERT_TRUE(eventually([&] { return pids().size() == 2; }));
  EXPECT_NE(pids()[0], pids()[1]);
  worker.stop();
  EXPECT_TRUE(gone(pids()[1]));
}

TEST_F(WorkerProcessTest, OneThatDoesNotListenIsKilledAfterTheGraceTime) {
  WorkerProcess::Options options =
      shell("trap '' TERM; echo deaf > " + directory_.path() + "/deaf; while :; do sleep 0.05; done");
  options.grace = 100ms;
  WorkerProcess worker(real_clock(), std::move(options));
  ASSERT_TRUE(worker.start().ok());
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(directory_.path() + "/deaf"); }));
  const pid_t pid = worker.pid();
  worker.stop();
  EXPECT_TRUE(gone(pid));
}

TEST_F(WorkerProcessTest, SignalsThatItsParentBlocksAreOpenInIt) {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  WorkerProcess::Options options = shell("exec sleep 600");
  options.grace = 1h;  // so SIGTERM alone ends it, or the test hangs
  WorkerProcess worker(real_clock(), std::move(options));
  ASSERT_TRUE(worker.start().ok());
  ASSERT_TRUE(eventually([&] { return pids().size() == 1; }));
  worker.stop();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_F(WorkerProcessTest, IsNotStartedBeforeItMayBe) {
  std::atomic<int> asked = 0;
  std::atomic<bool> ready = false;
  WorkerProcess::Options options = shell("exec sleep 600");
  options.ready = [&](Instant) {
    ++asked;
    return ready.load();
  };
  WorkerProcess worker(real_clock(), std::move(options));
  ASSERT_TRUE(worker.start().ok());
  ASSERT_TRUE(eventually([&] { return asked > 3; }));
  EXPECT_EQ(worker.pid(), 0);
  ready = true;
  ASSERT_TRUE(eventually([&] { return pids().size() == 1; }));
}

TEST_F(WorkerProcessTest, AProgramThatIsNotThereIsNoReasonToHang) {
  WorkerProcess worker(real_clock(), {{directory_.path() + "/absent"}, [](Instant) { return true; }, 10s});
  ASSERT_TRUE(worker.start().ok());
  worker.stop();
  EXPECT_EQ(worker.pid(), 0);
}

}  // namespace
}  // namespace cairn
