// One file of a ForgetfulDisk: the file below it, and in memory what was changed since the last sync. For
// forgetful_disk.cc.
//
//   read:   page known here? -> its bytes, or zeros of a hole        else: the file below, as far as cut
//   sync:   cut, pages and size are brought to the file below, forgotten here, and the file below is synced
//
// Changes take turns; their I/O runs without the mutex. Reads go beside them. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "common/base/random.h"
#include "common/base/thread.h"

namespace cairn {

// A right that one thread has at a time, and that may be kept across I/O, which a mutex may not.
class Turns {
 public:
  class Turn {
   public:
    explicit Turn(Turns& turns);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    Turns& turns_;
  };

 private:
  Mutex mutex_;
  CondVar passed_;
  bool taken_ = false;  // guarded by mutex_
};

// What happens at once to a change that is not synced yet. Nothing but remembering, unless `through`; then all of it
// reaches the disk below, or, if `torn`, some sectors of a write.
struct UnsyncedFate {
  bool through = false;
  bool torn = false;
  Random sectors{0};
};

class ForgetfulFile {
 public:
  // home: its path on the disk below, which changes when names become durable. Guarded by the disk's mutex.
  explicit ForgetfulFile(std::string at) : home(std::move(at)) {}
  std::string home;  // "" once it has no durable name and will get none

  // Opens the file below, if it is not open yet. Not beside another call of this one.
  Status open_below(Disk& below, bool for_reading_only);

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into);
  Status write_at(uint64_t offset, std::span<const iovec> pieces, UnsyncedFate fate);
  Status truncate(uint64_t size, UnsyncedFate fate);
  Status punch(uint64_t offset, uint64_t length, UnsyncedFate fate);
  Status preallocate(uint64_t offset, uint64_t length) { return below_->preallocate(offset, length); }
  Status sync_data();
  Result<uint64_t> size();
  Result<uint64_t> allocated();
  Result<uint64_t> next_data(uint64_t offset);
  Result<bool> named() { return below_->named(); }
  int descriptor() const;  // of the file below while there is nothing unsynced, else -1
  bool dirty() const;

 private:
  static constexpr uint64_t kPageBytes = 4096;
  static constexpr uint64_t kNoCut = std::numeric_limits<uint64_t>::max();
  using Page = std::array<uint8_t, kPageBytes>;
  using PageRef = std::shared_ptr<const Page>;  // null: a hole
  using Pages = std::map<uint64_t, PageRef>;    // by page number
  struct View {                                 // of a moment
    bool dirty = false;
    uint64_t size = 0;
    uint64_t cut = kNoCut;
  };

  // All require the turn.
  Result<View> view_to_change();
  Result<std::shared_ptr<Page>> load(const View& view, uint64_t number);
  Status write_through(uint64_t offset, std::span<const uint8_t> bytes, UnsyncedFate fate);
  void remember(const View& view, const Pages& changed);
  Status bring_below();
  Status bring_pages(uint64_t size);

  std::unique_ptr<File> below_;
  Turns changes_;
  mutable Mutex mutex_;
  // Guarded by mutex_, and changed only in the turn.
  View view_;    // valid while dirty
  Pages pages_;  // those that differ from the file below; behind view_.size there are none
};

}  // namespace cairn
