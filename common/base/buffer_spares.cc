#include "common/base/buffer_spares.h"

#include <algorithm>

namespace cairn {

Buffer BufferSpares::take(size_t size) {
  if (size >= Buffer::kMappedBytes) {
    const Lock lock(mutex_);
    const auto found =
        std::find_if(buffers_.rbegin(), buffers_.rend(), [&](const Buffer& buffer) { return buffer.size() == size; });
    if (found != buffers_.rend()) {
      Buffer buffer = std::move(*found);
      buffers_.erase(std::next(found).base());
      bytes_ -= size;
      return buffer;
    }
  }
  return Buffer(size);
}

void BufferSpares::give(Buffer buffer) {
  if (buffer.size() < Buffer::kMappedBytes || buffer.size() > limit_bytes_) return;
  std::vector<Buffer> dropped;  // unmapped without the mutex
  const Lock lock(mutex_);
  bytes_ += buffer.size();
  buffers_.push_back(std::move(buffer));
  while (bytes_ > limit_bytes_) {  // the oldest: sizes that nobody asks for any more
    bytes_ -= buffers_.front().size();
    dropped.push_back(std::move(buffers_.front()));
    buffers_.erase(buffers_.begin());
  }
}

}  // namespace cairn
