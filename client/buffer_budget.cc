#include "client/buffer_budget.h"

namespace cairn {

uint64_t BufferBudget::held() const {
  Lock lock(mutex_);
  return held_;
}

Status BufferBudget::wait_for_room(uint64_t bytes) {
  Lock lock(mutex_);
  while (true) {
    if (shut_) return *shut_;
    if (held_ == 0 || held_ + bytes <= limit_bytes_) return {};
    if (stalled_) return *stalled_;
    room_.wait(lock);
  }
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
