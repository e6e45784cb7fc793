// CRC32C (Castagnoli), the checksum of every block, record and log entry, over ISA-L's vector code.
#pragma once

#include <cstdint>
#include <span>

namespace cairn {

// The standard CRC32C: of "123456789" it is 0xE3069283. Pass the result of earlier bytes as seed to go on:
// crc32c(ab) == crc32c(b, crc32c(a)). Any other value as a first seed ties the checksum to an identity.
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t seed = 0);

}  // namespace cairn
