#include "common/base/buffer.h"

#include <sys/mman.h>

#include <cassert>
#include <cstring>
#include <new>

namespace cairn {

namespace {

// AddressSanitizer sees overruns only of what comes from the heap.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kMap = false;
#else
constexpr bool kMap = true;
#endif

}  // namespace

void BufferMemory::operator()(uint8_t* bytes) const {
  if (mapped > 0) {
    ::munmap(bytes, mapped);
  } else {
    std::free(bytes);
  }
}

Buffer::Buffer(size_t size) : size_(size) {
  if (size == 0) return;
  const size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
  if (kMap && rounded >= kMappedBytes) {
    void* const mapped = ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    bytes_ = {static_cast<uint8_t*>(mapped), BufferMemory{rounded}};
    return;
  }
  bytes_.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, rounded)));
  if (!bytes_) throw std::bad_alloc();
}

Buffer Buffer::zeroed(size_t size) {
  Buffer buffer(size);
  if (size > 0) std::memset(buffer.data(), 0, size);
  return buffer;
}

BufferSlice::BufferSlice(std::shared_ptr<Buffer> buffer, size_t offset, size_t length)
    : buffer_(std::move(buffer)), offset_(offset), length_(length) {
  assert(length == 0 || (buffer_ && offset <= buffer_->size() && length <= buffer_->size() - offset));
}

BufferSlice::BufferSlice(Buffer buffer) : length_(buffer.size()) {
  buffer_ = std::make_shared<Buffer>(std::move(buffer));
}

BufferSlice BufferSlice::copy_of(std::span<const uint8_t> bytes) {
  Buffer buffer(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return BufferSlice(std::move(buffer));
}

BufferSlice BufferSlice::part(size_t offset, size_t length) const {
  assert(offset <= length_ && length <= length_ - offset);
  return BufferSlice(buffer_, offset_ + offset, length);
}

}  // namespace cairn
