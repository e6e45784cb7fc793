#include "chunkserver/space_meter.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {

SpaceMeter::SpaceMeter(Disk& disk, Clock& clock, std::string path, ReserveOptions options)
    : disk_(disk), clock_(clock), path_(std::move(path)), options_(options) {}

Status SpaceMeter::refresh() {
  Instant now = clock_.now();
  {
    Lock lock(mutex_);
    bool fresh = known_once_ && now - known_at_ < options_.refresh_after && written_since_ < options_.refresh_bytes;
    if (fresh || (asking_ && known_once_)) return {};
    asking_ = true;
    written_since_ =
        0;  // what is admitted while the disk is asked may be missing in its answer, so it is counted on top
  }
  auto space = disk_.space(path_);
  Lock lock(mutex_);
  asking_ = false;
  if (!space.ok()) return space.error();
  known_ = *space;
  known_at_ = now;
  known_once_ = true;
  return {};
}

uint64_t SpaceMeter::reserve() const {
  return std::max<uint64_t>(options_.bytes, known_.total_bytes / 100 * options_.percent);
}

Status SpaceMeter::admit(uint64_t bytes) {
  TRY(refresh());
  Lock lock(mutex_);
  if (known_.free_bytes < reserve() + written_since_ + bytes) {
    return {Errc::no_space, fmt::format("{}: {} MiB free, of which {} MiB stay reserved", path_,
                                        known_.free_bytes >> 20, reserve() >> 20)};
  }
  written_since_ += bytes;
  return {};
}

Result<DiskSpace> SpaceMeter::usable() {
  TRY(refresh());
  Lock lock(mutex_);
  uint64_t taken = std::min(known_.free_bytes, reserve() + written_since_);
  return DiskSpace{known_.total_bytes, known_.free_bytes - taken};
}

}  // namespace cairn
