// A bit for each split of a task, in the order of its splits, as worker and metaserver tell each other: bit i % 8 of
// byte i / 8. Which splits have an odd number of quotes; which start inside quotes.
#pragma once

#include <cstdint>
#include <string>

namespace cairn {

// False behind the end.
inline bool split_bit(const std::string& bits, size_t split) {
  return split / 8 < bits.size() && (static_cast<uint8_t>(bits[split / 8]) >> (split % 8) & 1) != 0;
}
// Grows to hold it, and no further.
inline void set_split_bit(std::string& bits, size_t split, bool value) {
  if (bits.size() <= split / 8) bits.resize(split / 8 + 1, '\0');
  const auto mask = static_cast<uint8_t>(1u << split % 8);
  const auto byte = static_cast<uint8_t>(bits[split / 8]);
  bits[split / 8] = static_cast<char>(value ? byte | mask : byte & ~mask);
}

}  // namespace cairn
