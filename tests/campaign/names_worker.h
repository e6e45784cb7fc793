// One thread of a client that races with all others for the names of a shared directory (shared_names.h).
#pragma once

#include "client/filesystem.h"
#include "common/base/random.h"
#include "tests/campaign/workloads.h"

namespace cairn {

class NamesWorker {
 public:
  static constexpr uint32_t kOfEachClient = 2;  // so that one looks while the other changes

  NamesWorker(CairnWorld& world, WorkloadState& state, Filesystem& files, uint64_t seed);
  void step();
  // For the last mount of a run: judges what is left, and removes it.
  static void remove_all(CairnWorld& world, Filesystem& files);

 private:
  using Model = NamesModel;
  void call(const Model::Call& call);
  Result<Model::Names> look(size_t name);
  Status make(const Model::Call& call);

  CairnWorld& world_;
  WorkloadState& state_;
  Filesystem& files_;
  Random random_;
  InodeId directory_{};
  std::map<Model::Token, InodeId> inodes_;  // files that were seen here
  std::optional<FileHandle> open_;          // the last one that was created, so that some lose their names while open
};

}  // namespace cairn
