// The memory for appends on their way from the socket to the disk: aligned buffers, bounded in their sum.
//
// A caller who finds the bound reached waits until another returns its buffer, so sixty-four connections of large
// appends slow down instead of growing the process. Who holds a buffer waits only for its peer's bytes and the disk,
// never for a second buffer. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/thread.h"

namespace cairn {

class BufferPool {
 public:
  // A buffer that returns to its pool, which must outlive it.
  class Lease {
   public:
    Lease(BufferPool& pool, size_t size_class, Buffer buffer, size_t bytes)
        : pool_(&pool), size_class_(size_class), buffer_(std::move(buffer)), bytes_(bytes) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          size_class_(other.size_class_),
          buffer_(std::move(other.buffer_)),
          bytes_(other.bytes_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(size_class_, std::move(buffer_));
    }
    std::span<uint8_t> span() { return {buffer_.data(), bytes_}; }

   private:
    BufferPool* pool_;
    size_t size_class_;
    Buffer buffer_;
    size_t bytes_;
  };

  explicit BufferPool(size_t max_bytes);  // at least one buffer of the largest size is always possible
  // busy if none became free by the deadline; invalid beyond kLargest.
  Result<Lease> take(size_t bytes, Instant deadline);
  size_t held_bytes() const;  // in use and kept for the next

  static constexpr std::array<size_t, 3> kSizes = {64u << 10, 320u << 10, (1u << 20) + (64u << 10)};
  static constexpr size_t kLargest = kSizes.back();

 private:
  void give_back(size_t size_class, Buffer buffer);

  const size_t max_bytes_;
  mutable Mutex mutex_;  // guards everything below
  CondVar returned_;
  size_t held_ = 0;
  std::array<std::vector<Buffer>, kSizes.size()> free_;
};

}  // namespace cairn
