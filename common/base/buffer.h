// Memory for bulk bytes: aligned buffers with one owner, and counted slices of shared ones.
//
// Buffers are not zeroed: whoever reads more than was written reads old memory. Each buffer is for one thread at a
// time; slices may be copied and dropped on any thread, and what they show is not changed while more than one exists.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>

namespace cairn {

// Gives a buffer's memory back to where it came from.
struct BufferMemory {
  size_t mapped = 0;  // bytes of its own mapping; 0: from the heap
  void operator()(uint8_t* bytes) const;
};

class Buffer {
 public:
  static constexpr size_t kAlignment = 4096;
  // From this size on, memory is mapped of its own and goes back to the system with the buffer: a heap that has given
  // out and taken back many of them keeps several times what is in use.
  static constexpr size_t kMappedBytes = 256u << 10;

  Buffer() = default;
  explicit Buffer(size_t size);  // uninitialised, at a multiple of 4096
  static Buffer zeroed(size_t size);
  Buffer(Buffer&& other) noexcept : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  uint8_t* data() { return bytes_.get(); }
  const uint8_t* data() const { return bytes_.get(); }
  std::span<uint8_t> span() { return {bytes_.get(), size_}; }
  std::span<const uint8_t> span() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<uint8_t[], BufferMemory> bytes_;
  size_t size_ = 0;
};

// A range of a buffer that keeps the buffer alive. An empty slice has no buffer.
class BufferSlice {
 public:
  BufferSlice() = default;
  // Requires offset + length <= buffer->size().
  BufferSlice(std::shared_ptr<Buffer> buffer, size_t offset, size_t length);
  explicit BufferSlice(Buffer buffer);  // all of it
  static BufferSlice copy_of(std::span<const uint8_t> bytes);

  size_t size() const { return length_; }
  bool empty() const { return length_ == 0; }
  const uint8_t* data() const { return span().data(); }
  std::span<const uint8_t> span() const {
    return buffer_ ? buffer_->span().subspan(offset_, length_) : std::span<const uint8_t>();
  }
  // Requires offset + length <= size().
  BufferSlice part(size_t offset, size_t length) const;

 private:
  std::shared_ptr<Buffer> buffer_;
  size_t offset_ = 0;
  size_t length_ = 0;
};

}  // namespace cairn
