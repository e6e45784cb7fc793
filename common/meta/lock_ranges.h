// The bytes of one file that one owner has locked, as fcntl(2) keeps them: a later call replaces what it covers of an
// earlier one, which is split or cut, and neighbours of one mode are one lock.
//
//   exclusive |----------------|            set shared |------|
//   then      |---exclusive----|- shared -|-exclusive-|            three segments
//
// Ranges are inclusive at both ends. A segment has the token of its newest grant. Pure; the caller serialises.
#pragma once

#include <map>
#include <optional>

#include "common/meta/locks.h"

namespace cairn {

class LockRanges {
 public:
  struct Segment {
    LockRange range;
    LockMode mode = LockMode::shared;
    uint64_t token = 0;
  };
  // mode none unlocks. Requires range.first <= range.last.
  void set(const LockRange& range, LockMode mode, uint64_t token);
  // The first segment that another owner's lock of this mode cannot stand beside.
  std::optional<Segment> conflict(const LockRange& range, LockMode mode) const;
  // Every byte of the range is held in exactly this mode: the newest of the tokens.
  std::optional<uint64_t> covers(const LockRange& range, LockMode mode) const;
  uint64_t newest(const LockRange& range) const;  // of the tokens within the range; 0: nothing is locked there
  bool empty() const { return segments_.empty(); }
  size_t size() const { return segments_.size(); }
  template <typename Visit>  // visit(const Segment&), ascending
  void each(const Visit& visit) const {
    for (const auto& [first, rest] : segments_) visit(Segment{{first, rest.last}, rest.mode, rest.token});
  }

 private:
  struct Rest {
    uint64_t last;
    LockMode mode;
    uint64_t token;
  };
  std::map<uint64_t, Rest> segments_;  // by first byte; disjoint; neighbours that touch differ in mode
};

// Whether two locks of different owners exclude each other, where they overlap.
inline bool locks_conflict(LockMode one, LockMode other) {
  return one != LockMode::none && other != LockMode::none &&
         (one == LockMode::exclusive || other == LockMode::exclusive);
}
inline bool ranges_overlap(const LockRange& one, const LockRange& other) {
  return one.first <= other.last && other.first <= one.last;
}

}  // namespace cairn
