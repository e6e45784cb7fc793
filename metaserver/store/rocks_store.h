// The ordered store over RocksDB, without RocksDB's own log: our command log is the only one, and is replayed from the
// applied index that each batch carries.
//
// One column family, so that a batch is in one memtable and a crash leaves a prefix of the batches (several would need
// atomic_flush). Memory: 64 MiB of block cache with index and filter blocks in it, two memtables of 32 MiB. The
// destructor does not flush: what is to survive was flushed, or is in the log. RocksDB's headers stay in
// rocks_store.cc. Threads: as OrderedStore says.
#pragma once

#include <memory>
#include <string>

#include "metaserver/store/ordered_store.h"

namespace cairn {

struct RocksOptions {
  std::string directory;  // made if it is missing
  uint64_t block_cache_bytes = 64u << 20;
  uint64_t memtable_bytes = 32u << 20;
};

class RocksStore : public OrderedStore {
 public:
  // corrupt: RocksDB found damage; io: it is locked by another process, or the disk failed.
  static Result<std::unique_ptr<RocksStore>> open(const RocksOptions& options);
  ~RocksStore() override;  // views may live on

  std::shared_ptr<const StoreView> view() const override;
  Status write(const std::vector<StoreWrite>& batch) override;
  Status flush() override;
  Status resume() override;

  uint64_t memory_bytes() const;  // memtables and block cache, for metrics
  uint64_t disk_bytes() const;    // of its live files

 private:
  struct State;
  explicit RocksStore(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace cairn
