#include "common/rpc/message_memory.h"

#include <fmt/format.h>

namespace cairn {

Result<MessageMemory::Request> MessageMemory::admit(uint64_t bytes, Instant deadline) {
  Lock lock(mutex_);
  if (waiting_.empty() && fits(bytes)) {
    requests_ += bytes;
    return Request(*this, bytes);
  }
  Waiter self{.bytes = bytes, .admitted = false, .turn = {}};
  const auto at = waiting_.insert(waiting_.end(), &self);
  if (self.turn.wait_until(lock, deadline, [&] { return self.admitted; })) return Request(*this, bytes);
  waiting_.erase(at);
  admit_waiting();  // those behind it may be smaller
  return Error{Errc::timed_out, fmt::format("a request of {} bytes found no room: large requests hold {} of at most {}",
                                            bytes, requests_, most_requests_)};
}

void MessageMemory::release(uint64_t bytes) {
  Lock lock(mutex_);
  requests_ -= bytes;
  admit_waiting();
}

void MessageMemory::admit_waiting() {
  while (!waiting_.empty() && fits(waiting_.front()->bytes)) {
    Waiter& next = *waiting_.front();
    waiting_.pop_front();
    requests_ += next.bytes;
    next.admitted = true;
    next.turn.notify_one();
  }
}

MessageMemory::Reply::Reply(MessageMemory& memory, uint64_t bytes, Stream& stream) : memory_(memory) {
  Lock lock(memory.mutex_);
  for (OnItsWay& other : memory.on_their_way_) {
    if (memory.replies_ + bytes <= memory.most_replies_) break;
    if (other.cut) continue;
    other.cut = true;
    memory.replies_ -= other.bytes;
    other.stream->shut_down();  // its sender wakes up and ends it
  }
  memory.replies_ += bytes;
  at_ = memory.on_their_way_.insert(memory.on_their_way_.end(), OnItsWay{bytes, &stream, false});
}

MessageMemory::Reply::~Reply() {
  Lock lock(memory_.mutex_);
  if (!at_->cut) memory_.replies_ -= at_->bytes;
  memory_.on_their_way_.erase(at_);
}

bool MessageMemory::Reply::was_cut() const {
  Lock lock(memory_.mutex_);
  return at_->cut;
}

uint64_t MessageMemory::request_bytes() const {
  Lock lock(mutex_);
  return requests_;
}

uint64_t MessageMemory::reply_bytes() const {
  Lock lock(mutex_);
  return replies_;
}

}  // namespace cairn
