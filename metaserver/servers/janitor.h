// Tells the chunkservers what the metadata has decided, and frees what is dead:
//
//   pending seals   --seal on each server-->                    SealsConfirmed
//   dead stripes    --quarantine--> punch on each server -->    StripesPunched
//   dead chunks     --quarantine--> CondemnChunks --> remove on each server --> ChunksRemoved
//   stale shards    --quarantine--> remove on their server -->  StaleShardsRemoved (stale_shards.h)
//   deleted files   --steps of ReleaseExtents-->                their extent maps are gone
//
// The work lists are rows of the store, so nothing is forgotten over a restart. A server that is not up is not asked,
// and one that fails in a round is left alone until the next; both delay their own shards only (errands.h). Bounded in
// each round. What died while a near-data job was under way waits for the job's end as well: it may be pinned. One
// thread, or the rounds of a test. Not here: expiry of sessions (sessions.h), which must not wait for a slow
// chunkserver.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "common/base/clock.h"
#include "common/base/thread.h"
#include "common/stripe/shard_calls.h"
#include "metaserver/log/committer.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/servers/errands.h"
#include "metaserver/servers/quarantine.h"
#include "metaserver/state/queries.h"

namespace cairn {

// The calls that it makes; chunk_client.h makes them over the network, tests in memory.
class ShardHousekeeping {
 public:
  virtual ~ShardHousekeeping() = default;
  virtual Status seal(const ShardRef& shard, uint64_t committed, Epoch fence, Instant deadline) = 0;
  virtual Status punch(const ShardRef& shard, uint64_t place, uint64_t length, Instant deadline) = 0;
  virtual Status remove(const ShardRef& shard, Instant deadline) = 0;
};

class Janitor {
 public:
  struct Options {
    Duration look_every = 1s;
    Duration quarantine = 60s;
    Duration call_timeout = 3s;
    Incarnation incarnation{};
    std::function<bool(const StaleShard&)> being_made = {};  // by repair, now; empty: none is
  };
  Janitor(Clock& clock, Committer& committer, const OrderedStore& store, const Cluster& cluster,
          ShardHousekeeping& servers, Options options);
  ~Janitor();  // stops

  void start();
  void stop();
  // One pass over the lists. The error is that of the store or of the log; servers that fail are no error.
  Status round();

 private:
  struct Target {  // what a call needs besides the errand
    uint64_t committed = 0;
    Epoch fence{};
  };
  // Stripes of one chunk that lie side by side are punched by one call: by the place of the first.
  using Punches = std::map<uint64_t, std::vector<DeadStripe>>;
  void run();
  Status find_seals();
  Status find_removals();
  Status find_punches(int64_t died_until_ns);
  Status follow_moves();
  Status condemn(int64_t died_until_ns);
  Status remove_stale(std::optional<int64_t> stale_until_ns);
  Status release_extents();
  void ask_servers();
  Status ask(const ErrandCall& call);
  Status settle();
  void forget_chunk(ChunkId chunk);
  Status propose(CommandBody body);
  bool stopping() const;

  Clock& clock_;
  Committer& committer_;
  const OrderedStore& store_;
  const Cluster& cluster_;
  ShardHousekeeping& servers_;
  const Options options_;
  // Of the thread:
  Quarantine quarantine_;
  Errands errands_;
  std::map<ChunkId, Target> targets_;               // of the seals in errands_
  std::map<ChunkId, Punches> punches_;              // of the punches in errands_
  std::map<ChunkId, std::set<uint64_t>> punching_;  // places of the stripes in punches_
  size_t punching_stripes_ = 0;
  mutable Mutex mutex_;
  CondVar wake_;
  bool stopping_ = false;  // guarded by mutex_
  Thread thread_;
};

}  // namespace cairn
