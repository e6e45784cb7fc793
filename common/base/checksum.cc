#include "common/base/checksum.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <climits>

namespace cairn {

uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed) {
  // ISA-L leaves both inversions to its caller and counts in int.
  uint32_t state = ~seed;
  while (!bytes.empty()) {
    const size_t n = std::min<size_t>(bytes.size(), size_t{1} << 30);
    state = ::crc32_iscsi(const_cast<unsigned char*>(bytes.data()), static_cast<int>(n), state);
    bytes = bytes.subspan(n);
  }
  return ~state;
}

}  // namespace cairn
