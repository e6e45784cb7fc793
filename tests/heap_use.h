// What the program has allocated, as glibc counts it: for tests that measure what something costs.
//
// False from heap_is_measurable(): the allocator is another one (a sanitizer's), and says nothing.
#pragma once

#include <malloc.h>

#include <cstdint>
#include <memory>

namespace cairn::test {

inline uint64_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

inline bool heap_is_measurable() {
  const uint64_t before = heap_bytes();
  const auto some = std::make_unique<char[]>(1 << 20);
  return heap_bytes() >= before + (1 << 20);
}

}  // namespace cairn::test
