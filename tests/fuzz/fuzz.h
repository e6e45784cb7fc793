// What the fuzz targets share: their registration, what they ask of the code, and bytes read as choices.
//
//   bytes of the fuzzer --> Target::one --> decoder, twice or against a model --> require(...)
//
// A target is one file that ends with `const Registered registered{{"name", one, seeds}};`. fuzz_NAME is a libFuzzer
// program of it (libfuzzer.cc); fuzz_corpus_test replays all seeds and corpora in an ordinary build (corpus_test.cc).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace cairn::fuzz {

using Bytes = std::span<const uint8_t>;

struct Target {
  const char* name;
  void (*one)(Bytes input);             // aborts on a finding
  std::vector<std::string> (*seeds)();  // inputs that reach deep: where a fresh corpus begins
};
struct Registered {
  explicit Registered(Target target);
};
const std::vector<Target>& targets();

// Ends the process, telling what; so a finding is a crash with a stack.
void require(bool holds, std::string_view what);
[[noreturn]] void broken(std::string_view what);

// Bytes as choices. Behind its end everything is 0, which is the ordinary choice everywhere.
class Input {
 public:
  explicit Input(Bytes bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  uint8_t u8() { return static_cast<uint8_t>(integer(1)); }
  uint16_t u16() { return static_cast<uint16_t>(integer(2)); }
  uint32_t u32() { return static_cast<uint32_t>(integer(4)); }
  uint64_t u64() { return integer(8); }
  uint32_t below(uint32_t bound) { return bound <= 256 ? u8() % bound : u32() % bound; }  // bound > 0
  bool flip() { return (u8() & 1) != 0; }
  bool rarely() { return u8() >= 0xf8; }
  // Small, at a limit of some type, or anything.
  uint64_t number();
  // ordinary, and rarely any number.
  template <typename T>
  T mostly(T ordinary) {
    return rarely() ? static_cast<T>(number()) : ordinary;
  }
  std::string bytes(size_t count);  // fewer at the end
  std::string text(size_t most) { return bytes(u8() % (most + 1)); }
  Bytes rest() { return take(rest_.size()); }

 private:
  uint64_t integer(size_t bytes);
  Bytes take(size_t count);

  Bytes rest_;
};

}  // namespace cairn::fuzz
