#include "chunkserver/buffer_pool.h"

#include <gtest/gtest.h>

#include <atomic>

namespace cairn {
namespace {

TEST(BufferPoolTest, BuffersAreAlignedAndReused) {
  BufferPool pool(4u << 20);
  uint8_t* first = nullptr;
  {
    auto lease = pool.take(100'000, Instant::never());
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(lease->span().size(), 100'000u);
    first = lease->span().data();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 4096, 0u);
  }
  size_t held = pool.held_bytes();
  auto again = pool.take(200'000, Instant::never());
  EXPECT_EQ(again->span().data(), first);
  EXPECT_EQ(pool.held_bytes(), held);
}

TEST(BufferPoolTest, TheBoundHoldsAndAWaiterGetsWhatIsReturned) {
  BufferPool pool(2 * BufferPool::kLargest);
  auto first = pool.take(BufferPool::kLargest, Instant::never());
  std::optional<Result<BufferPool::Lease>> second(pool.take(BufferPool::kLargest, Instant::never()));
  EXPECT_EQ(pool.take(4096, real_clock().now()).code(), Errc::busy);
  std::atomic<bool> got = false;
  Thread waiter("waiter", [&] {
    auto third = pool.take(4096, Instant::never());
    EXPECT_TRUE(third.ok());
    got = true;
  });
  second.reset();
  waiter.join();
  EXPECT_TRUE(got);
  EXPECT_LE(pool.held_bytes(), 2 * BufferPool::kLargest);
  EXPECT_EQ(pool.take(BufferPool::kLargest + 1, Instant::never()).code(), Errc::invalid);
}

TEST(BufferPoolTest, ManyThreadsStayWithinTheBound) {
  BufferPool pool(3 * BufferPool::kLargest);
  std::vector<Thread> threads;
  for (size_t i = 0; i < 16; ++i) {
    threads.emplace_back("taker", [&, i] {
      for (size_t round = 0; round < 200; ++round) {
        auto lease = pool.take(BufferPool::kSizes[(i + round) % 3], Instant::never());
        ASSERT_TRUE(lease.ok());
        lease->span()[0] = 1;
        ASSERT_LE(pool.held_bytes(), 3 * BufferPool::kLargest);
      }
    });
  }
  for (Thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cairn
