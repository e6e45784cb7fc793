#include "tests/fuzz/fuzz.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "common/base/bytes.h"

namespace cairn::fuzz {
namespace {

std::vector<Target>& registry() {
  static std::vector<Target> all;
  return all;
}

}  // namespace

Registered::Registered(Target target) {
  spdlog::set_level(spdlog::level::off);  // hostile input is told of a thousand times a second
  registry().push_back(target);
}

const std::vector<Target>& targets() { return registry(); }

void broken(std::string_view what) {
  std::fprintf(stderr, "fuzz: does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

void require(bool holds, std::string_view what) {
  if (!holds) broken(what);
}

Bytes Input::take(size_t count) {
  const Bytes taken = rest_.first(std::min(count, rest_.size()));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

uint64_t Input::integer(size_t bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : take(bytes)) value = value << 8 | byte;
  return value;
}

uint64_t Input::number() {
  const uint8_t choice = u8();
  if (choice < 96) return choice;
  if (choice >= 224) return u64();
  const uint32_t bit = choice % 64;
  constexpr int64_t kBeside[] = {0, -1, 1, -4096};
  return (uint64_t{1} << bit) + static_cast<uint64_t>(kBeside[u8() % 4]);
}

std::string Input::bytes(size_t count) { return std::string(text_of(take(count))); }

}  // namespace cairn::fuzz
