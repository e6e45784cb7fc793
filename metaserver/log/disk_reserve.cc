#include "metaserver/log/disk_reserve.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace cairn {

namespace {

constexpr uint64_t kMostOfDisk = 8;  // each of the two is at most this part of the disk

std::string path_in(const std::string& directory) { return directory + "/reserve"; }

}  // namespace

class DiskReserve::Turn {
 public:
  explicit Turn(DiskReserve& reserve) : reserve_(reserve) {
    Lock lock(reserve_.mutex_);
    reserve_.turn_passed_.wait(lock, [&] { return !reserve_.turn_taken_; });
    reserve_.turn_taken_ = true;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    const Lock lock(reserve_.mutex_);
    reserve_.turn_taken_ = false;
    reserve_.turn_passed_.notify_one();
  }

 private:
  DiskReserve& reserve_;
};

DiskReserve::DiskReserve(Disk& disk, Clock& clock, Options options)
    : disk_(disk), clock_(clock), options_(std::move(options)), path_(path_in(options_.directory)) {}

bool DiskReserve::release_earlier(Disk& disk, const std::string& directory) {
  return disk.remove(path_in(directory)).ok();
}

uint64_t DiskReserve::capped(uint64_t bytes) const { return std::min(bytes, space_.total_bytes / kMostOfDisk); }

// The room of a reserve that was given back is not free to be used.
bool DiskReserve::low_now() const {
  const uint64_t missing = held_ ? 0 : capped(options_.reserve_bytes);
  return known_ && space_.free_bytes < capped(options_.low_bytes) + missing;
}

void DiskReserve::look() {
  const Instant now = clock_.now();
  const auto space = disk_.space(options_.directory);
  const Lock lock(mutex_);
  looked_at_ = now;
  known_ = space.ok();
  if (known_) space_ = *space;
}

bool DiskReserve::low() {
  {
    const Lock lock(mutex_);
    if (known_ && clock_.now() - looked_at_ < options_.look_every) return low_now();
  }
  look();
  const Lock lock(mutex_);
  return low_now();
}

bool DiskReserve::release() {
  const Turn turn(*this);
  {
    const Lock lock(mutex_);
    if (!held_) return false;
  }
  const Status removed = disk_.remove(path_);
  if (!removed.ok() && removed.code() != Errc::not_found) {
    spdlog::error("the reserve of the metadata disk was not given back: {}", removed.error().what);
    return false;
  }
  spdlog::warn("the reserve of the metadata disk is given back, so that changes which free space still fit");
  {
    const Lock lock(mutex_);
    held_ = false;
  }
  look();
  return true;
}

void DiskReserve::take() {
  uint64_t wanted = 0;
  {
    const Lock lock(mutex_);
    wanted = capped(options_.reserve_bytes);
    if (held_ || !known_ || wanted == 0) return;
  }
  const auto hold = [&]() -> Status {
    ASSIGN(const auto file, disk_.open(path_, OpenMode::create));
    ASSIGN(const uint64_t has, file->allocated());  // an earlier run's
    if (has >= wanted) return {};
    {
      const Lock lock(mutex_);
      if (low_now()) return {Errc::no_space, "there is no room for it yet"};
    }
    return file->preallocate(0, wanted);
  };
  if (const Status held = hold(); !held.ok()) {
    // An empty file or half a reserve is none.
    if (const Status removed = disk_.remove(path_); !removed.ok() && removed.code() != Errc::not_found)
      spdlog::debug("{}: {}", path_, removed.error().what);
    return;
  }
  {
    const Lock lock(mutex_);
    held_ = true;
  }
  look();
}

void DiskReserve::tend() {
  look();
  {
    const Turn turn(*this);
    take();
  }
  const std::string now = trouble();
  bool tell = false;
  {
    const Lock lock(mutex_);
    tell = told_low_ == now.empty();
    told_low_ = !now.empty();
  }
  if (tell && now.empty()) spdlog::info("the metadata disk has room again");
  if (tell && !now.empty()) spdlog::error("{}; changes that need space are refused until then", now);
}

std::string DiskReserve::trouble() {
  if (!low()) return {};
  const Lock lock(mutex_);
  return fmt::format("metadata disk full: {} bytes free of {}, needs {}, free some or grow ({})", space_.free_bytes,
                     space_.total_bytes, capped(options_.low_bytes) + (held_ ? 0 : capped(options_.reserve_bytes)),
                     options_.directory);
}

}  // namespace cairn
