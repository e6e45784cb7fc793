// How much memory buffered writes may hold, and the memory itself.
//
// Every Segment is charged with its capacity from its creation to its end, whoever holds it, so what is bounded is
// memory and not only the bytes that a reader would see. Writers wait for room before they take an inode's mutex, and
// what they were promised is theirs until they have written, so many writers at once do not pass the limit together. A
// flush frees it. Any thread. The mutex here is a leaf: nothing else is locked under it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/base/buffer_spares.h"
#include "common/base/result.h"
#include "common/base/thread.h"

namespace cairn {

inline constexpr uint32_t kMaxSegmentBytes = 1u << 20;

class BufferBudget {
 public:
  BufferBudget(uint64_t limit_bytes, std::shared_ptr<BufferSpares> spares)
      : limit_bytes_(limit_bytes), spares_(std::move(spares)) {}
  // What a writer was promised and may still take; its end gives up the rest.
  class Room {
   public:
    Room(BufferBudget& budget, uint64_t bytes) : budget_(&budget), bytes_(bytes) {}
    Room(Room&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Room& operator=(Room&&) = delete;
    ~Room() {
      if (budget_ != nullptr) budget_->give_up(bytes_);
    }

   private:
    BufferBudget* budget_;
    uint64_t bytes_;
  };

  uint64_t held() const;
  uint64_t limit() const { return limit_bytes_; }
  // Waits until a write of so many bytes fits, or nothing is held (so that one write larger than the limit goes
  // through). Fails at once while flushes fail, and after shut().
  Result<Room> wait_for_room(uint64_t bytes);
  // The last flush failed with this, so nobody can say when there will be room. Cleared by a flush that succeeds.
  void set_stalled(Error why);
  void clear_stalled();
  void shut(Error why);

 private:
  friend class Segment;
  Buffer take(uint32_t capacity);
  void give_back(Buffer memory);
  void give_up(uint64_t promised);

  const uint64_t limit_bytes_;
  const std::shared_ptr<BufferSpares> spares_;
  mutable Mutex mutex_;
  CondVar room_;
  uint64_t held_ = 0;      // guarded by mutex_, as the rest
  uint64_t promised_ = 0;  // of the Rooms
  std::optional<Error> stalled_;
  std::optional<Error> shut_;
};

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
