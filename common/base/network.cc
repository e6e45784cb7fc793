#include "common/base/network.h"

#include <algorithm>
#include <cstring>

namespace cairn {

Status Stream::read_exact(std::span<uint8_t> into, Instant deadline) {
  while (!into.empty()) {
    ASSIGN(const size_t n, read_some(into, deadline));
    if (n == 0) return Error{Errc::unavailable, "read from " + peer() + ": closed in the middle of a message"};
    into = into.subspan(n);
  }
  return {};
}

Status send_file_by_copy(Stream& stream, File& file, uint64_t offset, uint64_t length, Instant deadline) {
  std::vector<uint8_t> buffer(std::min<uint64_t>(length, 256u << 10));
  while (length > 0) {
    const std::span<uint8_t> piece(buffer.data(), std::min<uint64_t>(length, buffer.size()));
    ASSIGN(const size_t n, file.read_at(offset, piece));
    std::memset(piece.data() + n, 0, piece.size() - n);
    const iovec out{piece.data(), piece.size()};
    TRY(stream.write_all({&out, 1}, deadline));
    offset += piece.size();
    length -= piece.size();
  }
  return {};
}

}  // namespace cairn
