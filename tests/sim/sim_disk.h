// The disk of one simulated machine. It survives the death of processes (which closes their files); a power cut takes
// what was not synced. Made before its scheduler's first run() and outlives it.
//
//   write, truncate, punch --> what readers see --sync_data--> what a power cut leaves
//   create, rename, remove --> names that are seen --sync_directory--> names that a power cut leaves
//
// crash() decides for each write since the last sync whether it is kept, dropped or torn (each sector of 512 bytes on
// its own), and for each unsynced name whether it is kept or undone; a rename is atomic. That is more than a
// journalling filesystem may do, and all that the contract in disk.h allows. A sync covers what was written before it
// began. After one that failed, the writes before it are clean but perhaps not durable: a later sync does not save
// them.
//
// Calls take random virtual time when made by a fiber, and none outside. A write may be seen in part while it waits, as
// on a real disk. Removing an empty directory is durable at once; renaming a directory is not_supported.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "common/base/random.h"
#include "tests/sim/file_image.h"
#include "tests/sim/sim_scheduler.h"

namespace cairn {

enum class DiskOperation { read, write, sync, open, any };

struct DiskFault {
  DiskOperation operation = DiskOperation::any;
  std::string path_part{};  // the paths that contain it; empty: all
  Errc code = Errc::io;
  uint64_t times = UINT64_MAX;  // how often, then it is over
  uint64_t one_in = 1;          // 1: each time
};

struct SimFileNode;  // one file, under whichever names

class SimDisk : public Disk {
 public:
  struct Options {
    uint64_t capacity_bytes = uint64_t{1} << 40;
    Duration longest_access = 300us;  // of a read or a write
    Duration longest_sync = 4ms;
  };
  SimDisk(SimScheduler& scheduler, uint64_t seed);
  SimDisk(SimScheduler& scheduler, uint64_t seed, Options options);
  ~SimDisk() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status make_directories(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<DiskSpace> space(const std::string& path) override;

  // A power cut. Handles that were open fail with io from now on; the processes that had them must be dead.
  void crash();
  void replace();  // by an empty one, while no process has a file of it open
  void add_fault(DiskFault fault) { faults_.push_back(std::move(fault)); }
  void clear_faults() { faults_.clear(); }
  bool has_faults() const { return !faults_.empty(); }
  void set_capacity(uint64_t bytes) { options_.capacity_bytes = bytes; }
  void set_slowness(uint32_t times) { slowness_ = times; }  // of every wait; 1: as made
  // Rot: in what is seen and in what is durable. not_found where there is no such file or only a hole.
  Status flip_bit(const std::string& path, uint64_t offset, uint32_t bit);
  // One bit that the seed picks, in a file whose path contains path_part; says which. not_found: there is no such data.
  Result<std::string> flip_some_bit(const std::string& path_part);
  uint64_t used_bytes() const { return used_pages_ * FileImage::kPageBytes; }
  std::vector<std::string> files() const;  // all paths, sorted

 private:
  friend class SimFile;
  struct NameChange {  // one of create (from empty), remove (to empty), rename (both)
    std::string from;
    std::string to;
    std::shared_ptr<SimFileNode> node;
    uint64_t sequence;
  };

  Status delay(Duration longest);
  Status fault(DiskOperation operation, const std::string& path);
  bool take_pages(uint64_t count);
  void give_pages(uint64_t count) { used_pages_ -= count; }
  void opened(SimProcess process, const std::shared_ptr<SimFileNode>& node);
  void closed(SimProcess process, const std::shared_ptr<SimFileNode>& node);
  void close_all_of(SimProcess process);
  void drop_if_unnamed(const std::shared_ptr<SimFileNode>& node);
  void apply_durably(const NameChange& change);
  bool is_directory(const std::string& path) const { return directories_.contains(path); }

  SimScheduler& scheduler_;
  Random random_;
  Options options_;
  uint32_t slowness_ = 1;
  uint64_t boots_ = 0;       // crashes so far: handles of an earlier boot are dead
  uint64_t used_pages_ = 0;  // of what readers see
  uint64_t sequence_ = 0;    // of changes
  std::vector<std::pair<SimProcess, std::shared_ptr<SimFileNode>>> open_;
  std::set<std::string> directories_;
  std::map<std::string, std::shared_ptr<SimFileNode>> names_;
  std::map<std::string, std::shared_ptr<SimFileNode>> durable_names_;
  std::vector<NameChange> unsynced_names_;
  std::vector<DiskFault> faults_;
};

}  // namespace cairn
