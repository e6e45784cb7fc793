// Big buffers that were let go, kept for the next who needs one of the same size: faulting fresh memory in costs more
// than copying into it.
//
// Any thread; the mutex is a leaf. What is kept is bounded; beyond that, memory goes back to the system at once.
#pragma once

#include <vector>

#include "common/base/buffer.h"
#include "common/base/thread.h"

namespace cairn {

class BufferSpares {
 public:
  explicit BufferSpares(size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  Buffer take(size_t size);  // with old bytes in it
  void give(Buffer buffer);

 private:
  const size_t limit_bytes_;
  Mutex mutex_;
  std::vector<Buffer> buffers_;  // guarded by mutex_, as the rest; those of Buffer::kMappedBytes and more
  size_t bytes_ = 0;
};

}  // namespace cairn
