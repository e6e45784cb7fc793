#include "tests/sim/fiber_context.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
// Killed processes leave their heap behind on purpose.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace cairn {
namespace {

// Instrumented frames are several times larger. Untouched pages cost nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 1u << 20;
#else
constexpr size_t kStackBytes = 256u << 10;
#endif

// The stack outlives its boost::context::fiber, so there is nothing to do at the end.
struct BorrowedStack {
  FiberStack* stack;
  boost::context::stack_context allocate() {
    boost::context::stack_context context;
    context.size = stack->size();
    context.sp = stack->bottom() + stack->size();
    return context;
  }
  void deallocate(boost::context::stack_context&) noexcept {}
};

// What the sanitizers must be told; empty without them.
void begin_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* bottom,
                  [[maybe_unused]] size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake_stack, bottom, size);
#endif
}
void end_switch([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** bottom,
                [[maybe_unused]] size_t* size) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, bottom, size);
#endif
}
// Inlined, because a function is entered under one identity and would be left under another.
[[gnu::always_inline]] inline void switch_thread_identity([[maybe_unused]] void* to) {
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to, 0);
#endif
}

}  // namespace

FiberStack::FiberStack(size_t bytes) : mapped_bytes_(bytes + guard_bytes_) {
  void* mapping =
      ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED || ::mprotect(mapping, guard_bytes_, PROT_NONE) != 0) {
    std::perror("simulation: stack for a fiber");
    std::abort();
  }
  mapping_ = static_cast<uint8_t*>(mapping);
}

FiberStack::~FiberStack() {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(bottom(), size());  // the next mapping here starts clean
#endif
  ::munmap(mapping_, mapped_bytes_);
}

FiberContext::FiberContext(std::function<void()> entry) : stack_(kStackBytes), entry_(std::move(entry)) {
  new (&own_) boost::context::fiber(std::allocator_arg, BorrowedStack{&stack_},
                                    [this](boost::context::fiber&& caller) { return enter(std::move(caller)); });
  new (&caller_) boost::context::fiber();
#if defined(__SANITIZE_THREAD__)
  own_tsan_ = __tsan_create_fiber(0);
#endif
}

FiberContext::~FiberContext() {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(own_tsan_);
#endif
  // A killed process runs no destructors, and what the function has captured is part of it.
  if (!finished_) new std::function<void()>(std::move(entry_));
}

boost::context::fiber FiberContext::enter(boost::context::fiber&& caller) {
  caller_ = std::move(caller);
  end_switch(nullptr, &caller_bottom_, &caller_size_);
  {
    const std::function<void()> entry = std::move(entry_);  // what it has captured is destroyed here, on the fiber
    entry();
  }
  finished_ = true;
  // Left like a suspension that nobody ends: to return would leave these frames under the caller's identity.
  begin_switch(nullptr, caller_bottom_, caller_size_);
  switch_thread_identity(caller_tsan_);
  (void)std::move(caller_).resume();
  std::abort();
}

void FiberContext::resume() {
  begin_switch(&caller_fake_stack_, stack_.bottom(), stack_.size());
#if defined(__SANITIZE_THREAD__)
  caller_tsan_ = __tsan_get_current_fiber();
#endif
  switch_thread_identity(own_tsan_);
  own_ = std::move(own_).resume();
  end_switch(caller_fake_stack_, nullptr, nullptr);
}

void FiberContext::suspend() {
  begin_switch(&own_fake_stack_, caller_bottom_, caller_size_);
  switch_thread_identity(caller_tsan_);
  caller_ = std::move(caller_).resume();
  end_switch(own_fake_stack_, &caller_bottom_, &caller_size_);
}

}  // namespace cairn
