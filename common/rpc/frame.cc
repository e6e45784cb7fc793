#include "common/rpc/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace cairn {
namespace {

// After a larger frame the buffer is given back, so that idle connections do not hold on to their largest message.
constexpr size_t kKeptBytes = 16u << 10;

uint32_t length_at(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

FrameReader::FrameReader(Stream& stream, Limits limits)
    : stream_(stream),
      limits_(limits),
      buffer_(std::make_unique_for_overwrite<uint8_t[]>(limits.read_ahead_bytes)),
      capacity_(limits.read_ahead_bytes) {}

Result<std::optional<std::span<const uint8_t>>> FrameReader::frame() {
  using Frame = std::optional<std::span<const uint8_t>>;
  if (end_ - begin_ < kFrameLengthBytes) return Frame();
  const uint32_t length = length_at(buffer_.get() + begin_);
  if (length == 0 || length > limits_.frame_bytes) {
    return Error{Errc::invalid,
                 fmt::format("{} sent a frame of {} bytes; at most {}", stream_.peer(), length, limits_.frame_bytes)};
  }
  if (end_ - begin_ < kFrameLengthBytes + size_t{length}) return Frame();
  const std::span<const uint8_t> found(buffer_.get() + begin_ + kFrameLengthBytes, length);
  begin_ += kFrameLengthBytes + length;
  return Frame(found);
}

Status FrameReader::fill(Instant deadline) {
  const size_t have = end_ - begin_;
  size_t wanted = limits_.read_ahead_bytes;
  if (have >= kFrameLengthBytes) {
    // frame() has checked the length. What follows the frame may be a tail, which belongs elsewhere.
    const size_t whole = kFrameLengthBytes + size_t{length_at(buffer_.get() + begin_)};
    if (whole > limits_.read_ahead_bytes) wanted = std::min(whole, std::max<size_t>(2 * have, 64u << 10));
  }
  make_room(wanted);
  const size_t room = wanted - (end_ - begin_);
  ASSIGN(const size_t n, stream_.read_some({buffer_.get() + end_, room}, deadline));
  if (n == 0) {
    return Error{Errc::unavailable,
                 "read from " + stream_.peer() + (have == 0 ? ": closed" : ": closed in the middle of a message")};
  }
  end_ += n;
  return {};
}

Result<std::span<const uint8_t>> FrameReader::read(Instant deadline) {
  for (;;) {
    ASSIGN(const auto found, frame());
    if (found) return *found;
    TRY(fill(deadline));
  }
}

size_t FrameReader::announced() const {
  return end_ - begin_ < kFrameLengthBytes ? 0 : length_at(buffer_.get() + begin_);
}

void FrameReader::give_back() {
  if (capacity_ > kKeptBytes) make_room(std::max<size_t>(end_ - begin_, limits_.read_ahead_bytes));
}

void FrameReader::make_room(size_t wanted) {
  const size_t have = end_ - begin_;
  if (wanted > capacity_ || (capacity_ > kKeptBytes && wanted <= kKeptBytes)) {
    auto larger = std::make_unique_for_overwrite<uint8_t[]>(wanted);
    std::memcpy(larger.get(), buffer_.get() + begin_, have);
    buffer_ = std::move(larger);
    capacity_ = wanted;
  } else if (have == 0 || begin_ + wanted > capacity_) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, have);
  } else {
    return;
  }
  begin_ = 0;
  end_ = have;
}

size_t FrameReader::take(std::span<uint8_t> into) {
  const size_t n = std::min(into.size(), end_ - begin_);
  if (n > 0) std::memcpy(into.data(), buffer_.get() + begin_, n);
  begin_ += n;
  return n;
}

Result<size_t> FrameReader::read_tail_some(std::span<uint8_t> into, Instant deadline) {
  if (!empty()) return take(into);
  ASSIGN(const size_t n, stream_.read_some(into, deadline));
  if (n == 0) return Error{Errc::unavailable, "read from " + stream_.peer() + ": closed in the middle of a tail"};
  return n;
}

Status FrameReader::read_tail(std::span<uint8_t> into, Instant deadline) {
  into = into.subspan(take(into));
  return into.empty() ? Status() : stream_.read_exact(into, deadline);
}

Status FrameReader::skip_tail(uint64_t bytes, Instant deadline) {
  std::array<uint8_t, 16384> scratch;
  while (bytes > 0) {
    ASSIGN(const size_t n, read_tail_some({scratch.data(), std::min<uint64_t>(bytes, scratch.size())}, deadline));
    bytes -= n;
  }
  return {};
}

}  // namespace cairn
