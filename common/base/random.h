// Small seeded random numbers. A process takes its first seed from the kernel and hands generators on; a simulation
// hands out its own, so that a run can be repeated. Not for secrets.
#pragma once

#include <cstdint>
#include <limits>

namespace cairn {

// One step of splitmix64: also a good mixer of any 64-bit value.
constexpr uint64_t mix64(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// xoshiro256**, usable with <random> and std::shuffle. For one thread at a time.
class Random {
 public:
  using result_type = uint64_t;
  explicit constexpr Random(uint64_t seed) {
    for (uint64_t& word : state_) word = mix64(seed++);
  }
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }

  constexpr uint64_t operator()() {
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  // 0 .. bound - 1, without bias that could be measured; 0 for bound 0.
  constexpr uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<Wide>((*this)()) * bound) >> 64);
  }
  // low .. high, both included.
  constexpr uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  constexpr bool one_in(uint64_t n) { return below(n) == 0; }
  // A generator of its own, for a part that must not disturb this one's sequence.
  constexpr Random fork() { return Random((*this)()); }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr uint64_t rotate(uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }
  uint64_t state_[4]{};
};

// From the kernel's random pool: never twice the same, for ids (boot, incarnation) and the seeds of a process.
uint64_t random_seed();

}  // namespace cairn
