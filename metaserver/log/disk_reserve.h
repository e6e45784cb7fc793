// Room on the metadata's disk that is kept for what ends things, so that a full disk can still be emptied.
//
//   disk   | log, store, other users ... |  low_bytes  | DIR/reserve |
//                                          ^ free space below this: changes that need space are refused
//                                                        ^ given back when even an unlink, or a flush of the store,
//                                                        does
//                                                          not fit any more; taken again when there is room
//
// Both are at most an eighth of the disk, so that a small one can be used too. A disk that does not say how full it is
// counts as not full: what does not fit is then found out by writing it. Any thread; no mutex is held across the disk.
// Not here: which changes need space (space_needs.h), who refuses them (committer.h).
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/thread.h"

namespace cairn {

class DiskReserve {
 public:
  struct Options {
    std::string directory;
    uint64_t reserve_bytes = 32u << 20;  // of the file
    uint64_t low_bytes = 64u << 20;
    Duration look_every = 250ms;
  };
  DiskReserve(Disk& disk, Clock& clock, Options options);

  // Gives up the reserve of an earlier run, for a store that does not open on a full disk. False: there was none.
  static bool release_earlier(Disk& disk, const std::string& directory);

  // Whether space is low, as of at most look_every ago.
  bool low();
  // Gives the reserve back to the disk. False if there was none to give.
  bool release();
  // About once a second: looks, tells changes in the log, and takes the reserve again when there is room for it.
  void tend();
  // Empty while there is room. Else how much is free and what to do, for a person.
  std::string trouble();

 private:
  class Turn;
  void look();
  void take();
  uint64_t capped(uint64_t bytes) const;  // requires mutex_
  bool low_now() const;                   // requires mutex_

  Disk& disk_;
  Clock& clock_;
  const Options options_;
  const std::string path_;
  Mutex mutex_;  // guards everything below
  CondVar turn_passed_;
  bool turn_taken_ = false;  // someone works on the file
  DiskSpace space_;
  Instant looked_at_{};
  bool known_ = false;  // space_ is what the disk said
  bool held_ = false;   // the file has its bytes
  bool told_low_ = false;
};

}  // namespace cairn
