// One client's part in the files that all clients share (shared_files.h).
#pragma once

#include "client/filesystem.h"
#include "common/base/random.h"
#include "tests/campaign/workloads.h"

namespace cairn {

class SharedWorker {
 public:
  SharedWorker(CairnWorld& world, WorkloadState& state, Filesystem& files, uint64_t client, uint64_t seed);
  void step();
  // For the last mount of a run.
  static void remove_all(CairnWorld& world, Filesystem& files);

 private:
  InodeId open(const std::string& name);
  void write(size_t index);
  void read(size_t index);
  void note(const std::string& what, double began, const Status& done);
  void append();
  void check_log();
  template <typename T>
  T expect(const std::string& what, Result<T> result) {
    return cairn::expect(world_, what, std::move(result));
  }

  CairnWorld& world_;
  WorkloadState& state_;
  Filesystem& files_;
  const uint64_t client_;
  Random random_;
  std::array<InodeId, SharedFiles::kRegisters> registers_{};
  InodeId log_{};
};

}  // namespace cairn
