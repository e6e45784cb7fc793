// One file of a SimDisk: what it shows, what a power cut leaves, and the changes between the two. For sim_disk.cc.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/sim_disk.h"

namespace cairn {

struct FileChange {
  enum class Kind { write, truncate, punch, reserve } kind = Kind::write;
  uint64_t offset = 0;
  uint64_t length = 0;           // of truncate: the new size
  std::vector<uint8_t> bytes{};  // of write
  uint64_t sequence = 0;         // ascending over all changes of a disk

  void apply(FileImage& image) const;
  void apply_perhaps(FileImage& image, Random& random) const;  // kept, dropped, or some of the sectors of a write
};

struct SimFileNode {
  FileImage seen;
  FileImage durable;
  std::vector<FileChange> unsynced;  // in their order
  uint32_t handles = 0;              // of this boot

  void make_durable(uint64_t last);  // a sync that succeeded: the changes up to this sequence
  void lose(Random& random);         // one that failed: what is seen stays, and is as clean as it will ever be
  void power_cut(Random& random);    // seen and durable become what is left
};

class SimFile : public File {
 public:
  SimFile(SimDisk& disk, std::shared_ptr<SimFileNode> node, std::string path, bool writable);
  ~SimFile() override;
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) override;
  Status write_at(uint64_t offset, std::span<const iovec> pieces) override;
  Status sync_data() override;
  Status truncate(uint64_t size) override;
  Status preallocate(uint64_t offset, uint64_t length) override;
  Status punch(uint64_t offset, uint64_t length) override;
  Result<uint64_t> size() override;
  Result<uint64_t> allocated() override;
  Result<uint64_t> next_data(uint64_t offset) override;

 private:
  Status begin(DiskOperation operation, bool changes);
  Status change(FileChange change);
  bool of_this_boot() const { return boot_ == disk_.boots_; }

  SimDisk& disk_;
  const std::shared_ptr<SimFileNode> node_;
  const std::string path_;
  const bool writable_;
  const uint64_t boot_;
  const SimProcess process_;
};

}  // namespace cairn
