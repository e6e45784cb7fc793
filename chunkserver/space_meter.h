// Whether the disk has room for an append, without a statvfs for each.
//
// A reserve stays free, so that seals (renames), the identity file and punching work on a "full" disk, and other users
// of the same disk are not starved. Any thread; no mutex is held across the disk.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/thread.h"

namespace cairn {

struct ReserveOptions {
  uint32_t percent = 1;  // of the disk; the larger of the two counts
  uint64_t bytes = 64ull << 20;
  Duration refresh_after = 1s;         // the disk is asked again
  uint64_t refresh_bytes = 16u << 20;  // or after so many admitted bytes
};

class SpaceMeter {
 public:
  SpaceMeter(Disk& disk, Clock& clock, std::string path, ReserveOptions options);
  // no_space if the append would touch the reserve; io if the disk does not say. Counts bytes as written.
  Status admit(uint64_t bytes);
  // What can still be used: free_bytes is without the reserve. At most refresh_after old.
  Result<DiskSpace> usable();

 private:
  Status refresh();  // asks the disk if what is known is old; one caller at a time, others go on with the old value
  uint64_t reserve() const;  // requires mutex_

  Disk& disk_;
  Clock& clock_;
  const std::string path_;
  const ReserveOptions options_;
  Mutex mutex_;  // guards everything below
  DiskSpace known_;
  Instant known_at_{};
  bool known_once_ = false;
  bool asking_ = false;
  uint64_t written_since_ = 0;
};

}  // namespace cairn
