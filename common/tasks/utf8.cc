#include "common/tasks/utf8.h"

#include <cstdint>

namespace cairn::tasks {
namespace {

struct Sequence {
  size_t bytes;  // of the well-formed sequence, or of the piece to replace; > 0
  bool good;
};

// One line of table 3-7 for each range of the first byte: how many follow, and what the second may be.
Sequence sequence_at(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = at(0);
  if (first < 0x80) return {1, true};
  size_t follow = 0;
  uint8_t low = 0x80, high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    follow = 1;
  } else if (first >= 0xe0 && first <= 0xef) {
    follow = 2;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    follow = 3;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }
  for (size_t i = 1; i <= follow; ++i) {
    if (i >= text.size() || at(i) < low || at(i) > high) return {i, false};
    low = 0x80, high = 0xbf;
  }
  return {follow + 1, true};
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Sequence sequence = sequence_at(text.substr(i));
    if (!sequence.good) return i;
    i += sequence.bytes;
  }
  return std::string_view::npos;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Sequence sequence = sequence_at(text);
    out += sequence.good ? text.substr(0, sequence.bytes) : std::string_view("\xef\xbf\xbd");
    text.remove_prefix(sequence.bytes);
  }
  return out;
}

}  // namespace cairn::tasks
