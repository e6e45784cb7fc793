// One fiber: a function on a stack of its own, entered and left by hand. Sanitizers are told of every switch.
//
// Destroying a fiber that has not finished abandons it, as kill -9 would: its stack is unmapped and no destructor on it
// runs. For sim_scheduler.cc; everything else speaks to the scheduler.
#pragma once

#include <boost/context/fiber.hpp>
#include <functional>

namespace cairn {

// Zero pages with an unmapped page below: an overflow is a fault, not a silent overwrite.
class FiberStack {
 public:
  explicit FiberStack(size_t bytes);
  ~FiberStack();
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;
  uint8_t* bottom() const { return mapping_ + guard_bytes_; }
  size_t size() const { return mapped_bytes_ - guard_bytes_; }

 private:
  static constexpr size_t guard_bytes_ = 4096;
  size_t mapped_bytes_;
  uint8_t* mapping_;
};

class FiberContext {
 public:
  explicit FiberContext(std::function<void()> entry);
  ~FiberContext();
  FiberContext(const FiberContext&) = delete;
  FiberContext& operator=(const FiberContext&) = delete;

  void resume();   // from the thread's own stack; returns when the fiber suspends or ends
  void suspend();  // from within the fiber
  bool finished() const { return finished_; }

 private:
  boost::context::fiber enter(boost::context::fiber&& caller);

  FiberStack stack_;
  std::function<void()> entry_;
  union {
    boost::context::fiber own_;  // while suspended. In a union: destroying it would unwind the stack.
  };
  union {
    boost::context::fiber caller_;  // while running; likewise
  };
  bool finished_ = false;
  // What the sanitizers want to know of both sides of a switch; unused without them.
  void* own_fake_stack_ = nullptr;
  void* caller_fake_stack_ = nullptr;
  const void* caller_bottom_ = nullptr;
  size_t caller_size_ = 0;
  void* own_tsan_ = nullptr;
  void* caller_tsan_ = nullptr;
};

}  // namespace cairn
