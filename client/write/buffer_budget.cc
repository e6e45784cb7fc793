#include "client/write/buffer_budget.h"

namespace cairn {

uint64_t BufferBudget::held() const {
  Lock lock(mutex_);
  return held_;
}

Result<BufferBudget::Room> BufferBudget::wait_for_room(uint64_t bytes) {
  // A run of writes takes its last segment larger than it needs now. Next to a small limit that is not counted: it
  // would keep a writer waiting for a flush that nothing asks for.
  if (limit_bytes_ >= 8 * uint64_t{kMaxSegmentBytes}) bytes += kMaxSegmentBytes;
  Lock lock(mutex_);
  while (true) {
    if (shut_) return *shut_;
    const uint64_t taken = held_ + promised_;
    if (taken == 0 || taken + bytes <= limit_bytes_) break;
    if (stalled_) return *stalled_;
    room_.wait(lock);
  }
  promised_ += bytes;
  return Room(*this, bytes);
}

void BufferBudget::give_up(uint64_t promised) {
  Lock lock(mutex_);
  promised_ -= promised;
  room_.notify_all();
}

void BufferBudget::set_stalled(Error why) {
  Lock lock(mutex_);
  stalled_ = std::move(why);
  room_.notify_all();
}

void BufferBudget::clear_stalled() {
  Lock lock(mutex_);
  stalled_.reset();
}

void BufferBudget::shut(Error why) {
  Lock lock(mutex_);
  if (!shut_) shut_ = std::move(why);
  room_.notify_all();
}

Buffer BufferBudget::take(uint32_t capacity) {
  {
    Lock lock(mutex_);
    held_ += capacity;
  }
  return spares_->take(capacity);
}

void BufferBudget::give_back(Buffer memory) {
  const size_t size = memory.size();
  spares_->give(std::move(memory));
  Lock lock(mutex_);
  held_ -= size;
  room_.notify_all();
}

Segment::Segment(std::shared_ptr<BufferBudget> budget, uint32_t capacity)
    : budget_(std::move(budget)), memory_(budget_->take(capacity)) {}

Segment::~Segment() { budget_->give_back(std::move(memory_)); }

}  // namespace cairn
