// Recognises readers that go through a file from front to back or in equal leaps, and says what to fetch before they
// ask.
//
// Follows a few readers of each kind in the same inode at once. The window ahead of a sequential reader doubles from 1
// MiB with each round of fetching. A strided reader (a column of a table, a file read backwards by blocks) is one whose
// last four reads have equal distances and lengths, whatever other reads came between. Pure: not thread-safe, no time.
// Offsets in bytes.
#pragma once

#include <array>
#include <cstdint>

namespace cairn {

class SequentialDetector {
 public:
  struct Advice {
    bool sequential = false;                // the reader continues an earlier read
    uint64_t fetch_from = 0, fetch_to = 0;  // fetch this ahead; empty: nothing now
    int64_t stride = 0;                     // not 0: the same again so far further on (negative: back),
    uint32_t ranges = 1;                    // so many times in all; all of them lie in the file
  };
  // A read of [offset, offset + length) of a file of `size` bytes, of which nothing may be left; at most max_window
  // ahead.
  Advice on_read(uint64_t offset, uint64_t length, uint64_t size, uint64_t max_window);

 private:
  struct Reader {
    uint64_t expected = 0;  // where the next read begins if it is sequential
    uint64_t fetched_to = 0;
    uint64_t window = 0;
    uint32_t continued = 0;  // reads, up to as many as make it sequential
    uint64_t used = 0;       // turn of its last read; 0: free
  };
  struct Strider {
    uint64_t expected = 0;
    uint64_t length = 0;
    int64_t stride = 0;
    uint32_t ahead = 0;  // leaps that were advised and not read yet
    uint64_t used = 0;   // as above
  };
  struct Read {
    uint64_t offset = 0, length = 0;  // length 0: free
  };
  Advice on_leap(uint64_t offset, uint64_t length, uint64_t size, uint64_t max_window);
  int64_t stride_of(uint64_t offset, uint64_t length) const;  // of the last four reads that end here; 0: none
  bool was_read(int64_t offset, uint64_t length) const;

  std::array<Reader, 4> readers_{};
  std::array<Strider, 4> striders_{};
  std::array<Read, 16> leaps_{};  // the newest reads that continued none; enough for four striders in turn
  uint64_t turn_ = 0;
  size_t next_leap_ = 0;
};

}  // namespace cairn
