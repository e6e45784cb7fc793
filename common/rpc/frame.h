// Taking [u32 big-endian length][frame][tail] out of a Stream, with few system calls and bounded memory.
//
//   bytes of the stream   | length | frame ......... | tail .................... | length | frame ...
//   read ahead            |<------- read_ahead_bytes ------->|
//   then                                              read straight into its final place
//
// One read fetches a length, its frame and whatever follows, up to read_ahead_bytes. A longer frame is read exactly,
// into memory that grows with what has arrived: a length that promises much costs its sender as much. A tail is copied
// from the read-ahead as far as it is there, and the rest is read straight to where it belongs. One reader of one
// stream, for one thread. Not here: what a frame says (message.h), writing (Stream::write_all of Message::frame()).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/base/network.h"

namespace cairn {

inline constexpr uint32_t kFrameLengthBytes = 4;

class FrameReader {
 public:
  struct Limits {
    uint32_t frame_bytes = 16u << 20;
    uint32_t read_ahead_bytes = 4096;
  };
  FrameReader(Stream& stream, Limits limits);

  // The next frame, if all of it is here; it stays valid until fill(). The tail, if any, must be taken before the next
  // frame. invalid if its length is 0 or beyond the limit: the stream is then unusable.
  Result<std::optional<std::span<const uint8_t>>> frame();
  // Reads once, waiting for at least one byte. unavailable also when the peer has closed.
  Status fill(Instant deadline);
  // frame() and fill() until there is one.
  Result<std::span<const uint8_t>> read(Instant deadline);

  // At least one byte of the tail, at most into.size() > 0: from what is here, else by one read.
  Result<size_t> read_tail_some(std::span<uint8_t> into, Instant deadline);
  Status read_tail(std::span<uint8_t> into, Instant deadline);  // exactly into.size()
  Status skip_tail(uint64_t bytes, Instant deadline);

  bool empty() const { return begin_ == end_; }  // nothing is here that was not taken
  size_t announced() const;                      // length of the frame that has begun to come; 0: not known yet
  // The memory of a large message, as far as nothing in it was left untaken; the last frame becomes invalid.
  void give_back();

 private:
  size_t take(std::span<uint8_t> into);
  void make_room(size_t wanted);  // so that `wanted` bytes from begin_ fit

  Stream& stream_;
  const Limits limits_;
  std::unique_ptr<uint8_t[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;  // [begin_, end_) has arrived and was not taken
  size_t end_ = 0;
};

}  // namespace cairn
