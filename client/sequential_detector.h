// Recognises readers that go through a file from front to back, and says what to fetch before they ask.
//
// Follows a few readers of the same inode at once. The window ahead of a reader doubles from 1 MiB with each round of
// fetching. Pure: not thread-safe, no time. Offsets in bytes.
#pragma once

#include <array>
#include <cstdint>

namespace cairn {

class SequentialDetector {
 public:
  struct Advice {
    bool sequential = false;                // the reader continues an earlier read
    uint64_t fetch_from = 0, fetch_to = 0;  // fetch this ahead; empty: nothing now
  };
  // A read of [offset, offset + length) of a file of `size` bytes; at most max_window ahead.
  Advice on_read(uint64_t offset, uint64_t length, uint64_t size, uint64_t max_window);

 private:
  struct Reader {
    uint64_t expected = 0;  // where the next read begins if it is sequential
    uint64_t fetched_to = 0;
    uint64_t window = 0;
    uint64_t used = 0;  // turn of its last read; 0: free
  };
  std::array<Reader, 4> readers_{};
  uint64_t turn_ = 0;
};

}  // namespace cairn
