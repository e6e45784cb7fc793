// The memory of large messages on all connections of one server, bounded in two sums.
//
//   request   waits, first come first served, until it fits; only then is it read            back-pressure
//   reply     is in memory already: where it does not fit, the one that has been on its way longest is cut off
//
// So many large requests at once slow each other down, and readers that do not read lose their connections before
// their replies fill the memory. Messages of at most kSmallMessageBytes are not counted: they cost no more than the
// connection's thread. A request counts from before it is read until its reply is sent. Any thread. The mutex is a
// leaf.
#pragma once

#include <cstdint>
#include <list>

#include "common/base/network.h"
#include "common/base/thread.h"

namespace cairn {

inline constexpr size_t kSmallMessageBytes = 16u << 10;

class MessageMemory {
 public:
  MessageMemory(uint64_t request_bytes, uint64_t reply_bytes)
      : most_requests_(request_bytes), most_replies_(reply_bytes) {}

  // A large request that was admitted; its end makes room.
  class Request {
   public:
    Request() = default;
    Request(MessageMemory& memory, uint64_t bytes) : memory_(&memory), bytes_(bytes) {}
    Request(Request&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
    Request& operator=(Request other) noexcept {
      std::swap(memory_, other.memory_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Request() {
      if (memory_ != nullptr) memory_->release(bytes_);
    }
    bool holds() const { return memory_ != nullptr; }

   private:
    MessageMemory* memory_ = nullptr;
    uint64_t bytes_ = 0;
  };
  // timed_out: it did not fit by then. One that is larger than the bound comes in alone.
  Result<Request> admit(uint64_t bytes, Instant deadline);

 private:
  struct OnItsWay {
    uint64_t bytes = 0;
    Stream* stream = nullptr;
    bool cut = false;
  };

 public:
  // A large reply from before it is sent until it is out.
  class Reply {
   public:
    Reply(MessageMemory& memory, uint64_t bytes, Stream& stream);
    Reply(const Reply&) = delete;
    ~Reply();
    bool was_cut() const;

   private:
    MessageMemory& memory_;
    std::list<OnItsWay>::iterator at_;
  };

  uint64_t request_bytes() const;
  uint64_t reply_bytes() const;  // without those that were cut off, whose memory is on its way back
  uint64_t most_replies() const { return most_replies_; }

 private:
  struct Waiter {
    uint64_t bytes = 0;
    bool admitted = false;
    CondVar turn;
  };
  bool fits(uint64_t bytes) const { return requests_ == 0 || requests_ + bytes <= most_requests_; }
  void release(uint64_t bytes);
  void admit_waiting();

  const uint64_t most_requests_;
  const uint64_t most_replies_;
  mutable Mutex mutex_;
  uint64_t requests_ = 0;             // guarded by mutex_, as the rest
  std::list<Waiter*> waiting_;        // in order of arrival
  uint64_t replies_ = 0;              // of those that were not cut
  std::list<OnItsWay> on_their_way_;  // the one that began first is the first
};

}  // namespace cairn
