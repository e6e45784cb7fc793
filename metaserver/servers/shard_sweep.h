// Now and then compares what the chunkservers have with what the metadata knows:
//
//   chunks of a range of ids  --ask each server that is up for its shards of the range-->  compare_shards()
//      removed     an append that came too late has made the file again: removed once more, at the end of the pass
//      misplaced   told, and left alone; but not if it is known as stale (stale_shards.h)
//      lost        counted in status (missing_shards), until a later pass finds it
//      foreign     the metadata is older than the shards, as a backup is: told loudly, and nothing at all is removed
//
// A server that is not up or does not answer is not judged, and what was found of it stays. Before a removal the row is
// looked for once more. One pass reads each chunk's row twice and lists each shard once, in steps with pauses, so it is
// no load; memory is bounded by a step. One thread, or the passes of a test.
// Not here: the decisions (shard_comparison.h), dead chunks (janitor.h), repair.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>

#include "common/base/clock.h"
#include "common/base/thread.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/servers/shard_comparison.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

// The calls that it makes; chunk_client.h makes them over the network, tests in memory.
class ShardInventory {
 public:
  virtual ~ShardInventory() = default;
  // Up to `limit` shards of chunks behind `after`, ascending; the list is complete when fewer came.
  virtual Result<std::vector<ShardSummary>> list(ServerId server, Incarnation incarnation, ChunkId after,
                                                 uint32_t limit, Instant deadline) = 0;
  virtual Status remove(const ShardRef& shard, Instant deadline) = 0;
};

// Bit i: the server of shard i does not have it.
using LostShards = std::map<ChunkId, uint64_t>;

class ShardSweep {
 public:
  struct Options {
    Duration interval = 10min;    // between two passes; the first comes after a minute at the latest
    Duration pause = 1s;          // between two steps of a pass
    Duration call_timeout = 30s;  // of one page: a cold disk opens each shard of it
    Incarnation incarnation{};
    uint32_t step_chunks = 0;  // 0: by the number of servers
  };
  struct Counts {  // since the start, but for lost: of now
    uint64_t passes = 0, removed = 0, misplaced = 0, foreign = 0, lost = 0;
  };
  ShardSweep(Clock& clock, const OrderedStore& store, const Cluster& cluster, ShardInventory& servers, Options options);
  ~ShardSweep();  // stops

  void start();
  void stop();
  // One pass over all chunks. The error is that of the store; servers that fail are no error.
  Status pass();

  std::shared_ptr<const LostShards> lost() const;  // another object when something changed
  void found(ChunkId chunk, uint8_t shard);        // it was made again where it was lost
  Counts counts() const;
  std::string trouble() const;  // for an administrator; empty if there is none

 private:
  using Listing = std::vector<ShardSummary>;
  void run();
  bool rest(Duration time);  // false: stopping
  Result<ChunkRows> rows_of(const StoreView& view, ChunkRange range) const;
  Result<bool> step(ChunkId& after);  // false: it was the last
  std::map<ServerId, Listing> ask(ChunkRange range);
  Result<Listing> list(ServerId server, ChunkRange range);
  Status leave_out_stale(const StoreView& view, std::vector<ShardAt>& misplaced) const;
  void note_lost(ChunkRange range, const ChunkRows& rows, const std::set<ServerId>& asked,
                 const std::vector<ShardAt>& lost);
  Status end_pass();
  Status remove(const ShardAt& shard);

  Clock& clock_;
  const OrderedStore& store_;
  const Cluster& cluster_;
  ShardInventory& servers_;
  const Options options_;
  // Of the thread, and of this pass:
  std::vector<ShardAt> removed_;  // to be removed at its end
  std::set<ServerId> judged_;     // listed in every step so far
  std::map<ServerId, ChunkId> foreign_now_;
  // Of the thread: servers with foreign shards, and one of these; until a whole pass finds none there.
  std::map<ServerId, ChunkId> foreign_;
  mutable Mutex mutex_;  // guards what follows
  CondVar wake_;
  bool stopping_ = false;
  std::shared_ptr<const LostShards> lost_ = std::make_shared<LostShards>();
  Counts counts_;
  std::string trouble_;
  Thread thread_;
};

}  // namespace cairn
