// How much memory buffered writes may hold, and the memory itself.
//
// Every Segment is charged with its capacity from its creation to its end, whoever holds it, so what is bounded is
// memory and not only the bytes that a reader would see. Writers wait for room before they take an inode's mutex; a
// flush frees it. Any thread. The mutex here is a leaf: nothing else is locked under it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/base/buffer_spares.h"
#include "common/base/result.h"
#include "common/base/thread.h"

namespace cairn {

class BufferBudget {
 public:
  BufferBudget(uint64_t limit_bytes, std::shared_ptr<BufferSpares> spares)
      : limit_bytes_(limit_bytes), spares_(std::move(spares)) {}
  uint64_t held() const;
  uint64_t limit() const { return limit_bytes_; }
  // Waits until so many bytes fit, or nothing is held (so that one write larger than the limit goes through). Fails at
  // once while flushes fail, and after shut().
  Status wait_for_room(uint64_t bytes);
  // The last flush failed with this, so nobody can say when there will be room. Cleared by a flush that succeeds.
  void set_stalled(Error why);
  void clear_stalled();
  void shut(Error why);

 private:
  friend class Segment;
  Buffer take(uint32_t capacity);
  void give_back(Buffer memory);

  const uint64_t limit_bytes_;
  const std::shared_ptr<BufferSpares> spares_;
  mutable Mutex mutex_;
  CondVar room_;
  uint64_t held_ = 0;  // guarded by mutex_, as the rest
  std::optional<Error> stalled_;
  std::optional<Error> shut_;
};

inline constexpr uint32_t kMaxSegmentBytes = 1u << 20;

class Segment {
 public:
  Segment(std::shared_ptr<BufferBudget> budget, uint32_t capacity);  // capacity <= kMaxSegmentBytes
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  uint8_t* data() { return memory_.data(); }
  uint32_t capacity() const { return static_cast<uint32_t>(memory_.size()); }

 private:
  std::shared_ptr<BufferBudget> budget_;
  Buffer memory_;
};

}  // namespace cairn
