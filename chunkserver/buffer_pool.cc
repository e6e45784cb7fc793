#include "chunkserver/buffer_pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {

BufferPool::BufferPool(size_t max_bytes) : max_bytes_(std::max(max_bytes, kLargest)) {}

Result<BufferPool::Lease> BufferPool::take(size_t bytes, Instant deadline) {
  size_t size_class = 0;
  while (size_class < kSizes.size() && kSizes[size_class] < bytes) ++size_class;
  if (size_class == kSizes.size()) return {Errc::invalid, fmt::format("a buffer of {} bytes", bytes)};
  std::vector<Buffer> dropped;  // of other sizes, to make room; freed after the mutex
  Lock lock(mutex_);
  for (;;) {
    auto& free = free_[size_class];
    if (!free.empty()) {
      Buffer buffer = std::move(free.back());
      free.pop_back();
      return Lease(*this, size_class, std::move(buffer), bytes);
    }
    for (size_t other = 0; other < kSizes.size(); ++other) {
      while (held_ + kSizes[size_class] > max_bytes_ && !free_[other].empty()) {
        dropped.push_back(std::move(free_[other].back()));
        free_[other].pop_back();
        held_ -= kSizes[other];
      }
    }
    if (held_ + kSizes[size_class] <= max_bytes_) break;
    if (!returned_.wait_until(lock, deadline)) {
      return {Errc::busy, fmt::format("appends on their way to the disk hold all of their {} bytes of memory, and none "
                                      "became free in time: the disk or other writers are slow",
                                      max_bytes_)};
    }
  }
  held_ += kSizes[size_class];
  lock.unlock();
  return Lease(*this, size_class, Buffer(kSizes[size_class]), bytes);
}

void BufferPool::give_back(size_t size_class, Buffer buffer) {
  Lock lock(mutex_);
  free_[size_class].push_back(std::move(buffer));
  returned_.notify_all();
}

size_t BufferPool::held_bytes() const {
  Lock lock(mutex_);
  return held_;
}

}  // namespace cairn
