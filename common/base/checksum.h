// CRC32C (Castagnoli), the checksum of every block, record and log entry, over ISA-L's vector code.
#pragma once

#include <cstdint>
#include <span>

namespace cairn {

// The standard CRC32C: of "123456789" it is 0xE3069283. Pass the result of earlier bytes as seed to go on:
// crc32c(ab) == crc32c(b, crc32c(a)). Any other value as a first seed ties the checksum to an identity.
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed = 0);

// The CRC32C of two ranges, one behind the other, from those of each and the length of the second in bytes:
// crc32c(ab) == crc32c_combine(crc32c(a), crc32c(b), |b|). About 2 us; so ranges may be summed up anywhere in any
// order. The algorithm of zlib's crc32_combine: multiplication by x^(8 |b|) modulo the polynomial.
uint32_t crc32c_combine(uint32_t first, uint32_t second, uint64_t second_bytes);

}  // namespace cairn
