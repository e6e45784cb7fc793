// What is worth a place in a full cache: what is asked for again and again, not what passes by once.
//
// A reader that goes once through a big file would otherwise push everything out. So uses are counted, also of what is
// not cached, in a small sketch that forgets slowly (TinyLFU): a newcomer gets in when it was used more often than what
// would have to go for it. Uses of the same thing within one visit count once, so that small reads of one piece do not
// make it look loved. Pure: not thread-safe, no time.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace cairn {

// How often hashes were added: at most 15, rarely too high, and too low only by age: when about four times as many
// additions as it has room for were made, all counts are halved.
class FrequencySketch {
 public:
  explicit FrequencySketch(uint64_t entries);
  void add(uint64_t hash);
  uint32_t count(uint64_t hash) const;

 private:
  static constexpr size_t kRows = 4;
  size_t cell_of(uint64_t hash, size_t row) const;

  uint64_t width_;               // a power of two
  std::vector<uint8_t> counts_;  // kRows of width_
  uint64_t added_ = 0;           // since the last halving
};

class Admission {
 public:
  explicit Admission(uint64_t entries) : sketch_(entries) {}
  // One use. False: it belongs to a visit that was counted already.
  bool note(uint64_t hash);
  bool worth_more(uint64_t newcomer, double uses_of_incumbents) const {
    return sketch_.count(newcomer) > uses_of_incumbents;
  }

 private:
  static constexpr uint64_t kVisit = 256;  // uses, of anything, that one visit may last
  struct Recent {
    uint64_t hash = 0;
    uint64_t turn = 0;  // 0: free
  };
  FrequencySketch sketch_;
  std::array<Recent, 1024> recent_{};  // by hash; a collision only counts a use too much
  uint64_t turn_ = 0;
};

}  // namespace cairn
