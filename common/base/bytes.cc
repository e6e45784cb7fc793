#include "common/base/bytes.h"

namespace cairn {

void ByteWriter::patch_u32(size_t at, uint32_t value) {
  for (size_t i = 0; i < sizeof value; ++i) out_.at(at + i) = static_cast<char>(value >> (8 * i));
}

bool ByteReader::boolean() {
  const uint8_t value = u8();
  if (value > 1) fail();
  return value == 1;
}

std::string_view ByteReader::string_view(size_t max_bytes) {
  const uint32_t size = u32();
  if (size > max_bytes) fail();
  return text_of(raw(size));
}

std::span<const uint8_t> ByteReader::raw(size_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const auto bytes = rest_.first(count);
  rest_ = rest_.subspan(count);
  return bytes;
}

uint32_t ByteReader::count(size_t min_item_bytes) {
  const uint32_t value = u32();
  if (value > rest_.size() / (min_item_bytes == 0 ? 1 : min_item_bytes)) {
    fail();
    return 0;
  }
  return value;
}

}  // namespace cairn
