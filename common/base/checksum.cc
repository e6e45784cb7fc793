#include "common/base/checksum.h"

#include <isa-l/crc.h>

#include <algorithm>
#include <array>
#include <climits>

namespace cairn {
namespace {

// Polynomials over GF(2) below degree 32, as a reflected CRC has them: the highest bit is the coefficient of x^0.
constexpr uint32_t kCastagnoli = 0x82f63b78;
constexpr uint32_t kOne = 1u << 31;

constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1) != 0 ? (b >> 1) ^ kCastagnoli : b >> 1;
  }
  return product;
}

// x^(2^i), up to the bits of 2^64 bytes.
constexpr std::array<uint32_t, 67> kPowers = [] {
  std::array<uint32_t, 67> powers{kOne >> 1};
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = multiply(powers[i - 1], powers[i - 1]);
  return powers;
}();

}  // namespace

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

uint32_t crc32c_combine(uint32_t first, uint32_t second, uint64_t second_bytes) {
  uint32_t shift = kOne;
  for (size_t i = 3; second_bytes != 0; second_bytes >>= 1, ++i) {
    if ((second_bytes & 1) != 0) shift = multiply(kPowers[i], shift);
  }
  return multiply(shift, first) ^ second;
}

}  // namespace cairn
