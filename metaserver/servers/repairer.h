// Makes lost shards again, and moves those of draining servers:
//
//   scan of the chunks' rows --> queue, most urgent first (repair_queue.h)
//   a few threads, each:  take one --> look at it anew --> choose who takes it (placement.h) --> PlanShards
//       --> the server makes it, page by page of stripes, within the budget --> MoveShards
//
// A shard that its server has lost is made again in place; should that fail twice, elsewhere. Several shards are under
// way at once, few on any one server, one of a chunk. What fails is tried again later, each time after a longer pause,
// and holds nothing else up. Whatever a crash leaves half-made is a planned shard, hence a stale one, and is removed.
// Any thread for status() and making(). Not here: the work on the bytes (chunkserver/shard_rebuild.h), removal of what
// a move leaves behind (stale_shards.h).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/base/thread.h"
#include "common/meta/admin.h"
#include "common/meta/shards.h"
#include "metaserver/log/committer.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/servers/repair_pace.h"
#include "metaserver/servers/repair_queue.h"
#include "metaserver/servers/shard_sweep.h"

namespace cairn {

// The calls that it makes; chunk_client.h makes them over the network, tests in memory.
class ShardMaking {
 public:
  virtual ~ShardMaking() = default;
  virtual Result<RebuildProgress> rebuild(const RebuildShard& request, Instant deadline) = 0;
  virtual Status punch(const ShardRef& shard, uint64_t place, uint64_t length, Instant deadline) = 0;
};

class Repairer {
 public:
  struct Options {
    uint32_t parallel = 8;           // shards under way at once
    uint32_t per_server = 2;         // of these, made on one server
    uint64_t bytes_per_second = 0;   // of what is made; 0: no bound
    Duration look_every = 1s;        // whether there is something to do
    Duration scan_every = 60s;       // of all rows, while a server is down or draining
    uint64_t page_bytes = 8u << 20;  // of one shard, in one call
    Duration call_time = 2s;         // after which a call begins no further stripe
    Duration call_timeout = 20s;
    Duration first_pause = 2s, longest_pause = 5min;  // after a failure
    Incarnation incarnation{};
    uint64_t seed = 0;
  };
  // What the sweep knows and is told (shard_sweep.h).
  struct Sweep {
    std::function<std::shared_ptr<const LostShards>()> lost;
    std::function<void(ChunkId, uint8_t)> found;  // that shard is where its row says again
  };
  Repairer(Clock& clock, Committer& committer, const OrderedStore& store, const Cluster& cluster, ShardMaking& servers,
           Sweep sweep, Options options);
  ~Repairer();  // stops

  void start();
  void stop();
  // The steps of the threads, for tests. The error is that of the store or of the log.
  Status scan();
  bool repair_next();  // false: there is nothing that could be begun now

  RepairStatus status() const;  // without what draining servers still have
  bool making(const StaleShard& shard) const;

 private:
  enum class End : uint8_t { done, dropped, put_off, failed, all_busy };
  enum class Step : uint8_t { nothing_ready, worked, all_busy };
  struct UnderWay {
    RepairWant want;
    ServerId to{};       // 0: not chosen yet
    uint64_t bytes = 0;  // made so far
  };
  struct Trial {  // of a shard that failed, or could not be placed
    uint32_t failures = 0;
    Instant not_before{};
    ServerId failed_at{};
    std::string unplaced;  // why nobody can take it; empty: somebody could
  };
  using ShardOf = std::pair<ChunkId, uint8_t>;

  Step step();
  void plan_all();
  void work();
  bool scan_due() const;
  Status seal(std::vector<ChunkId> chunks);
  std::optional<RepairWant> take_locked(Instant now);
  Instant next_ready_locked() const;
  void put_back_locked(const RepairWant& want);

  End repair(const RepairWant& want);
  // The want as it is now; none: it is none any more.
  Result<std::optional<RepairWant>> look_anew(const RepairWant& want, ChunkInfo& chunk);
  Result<ServerId> choose(const RepairWant& want, const ChunkInfo& chunk);
  Status claim_target(const RepairWant& want, ServerId to);
  Status make(const RepairWant& want, const ChunkInfo& chunk, ServerId to);
  Status make_once(const RepairWant& want, const ChunkInfo& chunk, ServerId to, std::map<uint64_t, uint64_t>& made);
  Status punch_dead(const RepairWant& want, ServerId to, const std::map<uint64_t, uint64_t>& made);
  bool wait_for_budget(uint64_t bytes);  // false: stopping
  bool stopping() const;
  End failed(const RepairWant& want, ServerId to, const Error& error);
  End unplaced(const RepairWant& want, const Error& error);
  uint64_t lost_mask(ChunkId chunk) const;

  Clock& clock_;
  Committer& committer_;
  const OrderedStore& store_;
  const Cluster& cluster_;
  ShardMaking& servers_;
  const Sweep sweep_;
  const Options options_;
  mutable Mutex mutex_;  // guards what follows
  CondVar wake_;
  bool stopping_ = false;
  std::vector<RepairWant> queue_;             // most urgent first
  uint64_t waiting_ = 0, waiting_bytes_ = 0;  // all that the scan has found and that is not under way or done since
  std::map<ChunkId, UnderWay> under_way_;
  uint64_t changes_ = 0;  // of what could be begun: a scan, an end
  std::map<ShardOf, Trial> trials_;
  ByteBudget budget_;
  mutable RateMeter rate_;
  Random random_;
  struct Scanned {
    Instant at{INT64_MIN / 2};
    Duration took{};
    uint64_t health_version = 0;
    std::shared_ptr<const LostShards> lost;
    bool anything = false;  // a server that is down, draining or removed, or a lost shard
    bool found = false;     // something to do
  };
  Scanned scanned_;
  std::vector<Thread> threads_;
};

}  // namespace cairn
