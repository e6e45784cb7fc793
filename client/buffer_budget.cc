#include "client/buffer_budget.h"

namespace cairn {

namespace {
constexpr size_t kSpareSegments = 16;
}

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
    if (capacity == kMaxSegmentBytes && !spare_.empty()) {
      Buffer memory = std::move(spare_.back());
      spare_.pop_back();
      return memory;
    }
  }
  return Buffer(capacity);
}

void BufferBudget::give_back(Buffer memory) {
  Lock lock(mutex_);
  held_ -= memory.size();
  room_.notify_all();
  if (memory.size() == kMaxSegmentBytes && spare_.size() < kSpareSegments) spare_.push_back(std::move(memory));
}

Segment::Segment(std::shared_ptr<BufferBudget> budget, uint32_t capacity)
    : budget_(std::move(budget)), memory_(budget_->take(capacity)) {}

Segment::~Segment() { budget_->give_back(std::move(memory_)); }

}  // namespace cairn
