#include "common/base/thread.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(ThreadTest, AWaiterIsWokenByANotification) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  Thread thread("notifier", [&] {
    Lock lock(mutex);
    ready = true;
    changed.notify_one();
  });
  Lock lock(mutex);
  changed.wait(lock, [&] { return ready; });
  EXPECT_TRUE(ready);
}

TEST(ThreadTest, AWaitEndsAtItsDeadline) {
  Mutex mutex;
  CondVar changed;
  Lock lock(mutex);
  const Instant deadline = real_clock().now() + 5ms;
  EXPECT_FALSE(changed.wait_until(lock, deadline, [] { return false; }));
  EXPECT_GE(real_clock().now(), deadline);
  EXPECT_TRUE(lock.owns_lock());
}

TEST(ThreadTest, AllAreWoken) {
  Mutex mutex;
  CondVar changed;
  int waiting = 0, woken = 0;
  bool go = false;
  std::vector<Thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back("waiter-with-a-long-name", [&] {
      Lock lock(mutex);
      ++waiting;
      changed.notify_all();
      changed.wait(lock, [&] { return go; });
      ++woken;
    });
  }
  {
    Lock lock(mutex);
    changed.wait(lock, [&] { return waiting == 4; });
    go = true;
    changed.notify_all();
  }
  threads.clear();
  EXPECT_EQ(woken, 4);
}

TEST(ThreadTest, AMovedThreadIsJoinedOnce) {
  int runs = 0;
  Thread first("first", [&] { ++runs; });
  Thread second(std::move(first));
  EXPECT_FALSE(first.joinable());  // NOLINT: what is left behind is specified
  first = std::move(second);
  first.join();
  first.join();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace cairn
