// Calls to chunkservers, in our own types: the network's ShardTransport, and the metaserver's housekeeping calls.
//
// Connections are pooled per server; a gatherer borrows one for each server that it speaks to and returns it when all
// its answers have come. Addresses come from the cluster map, which is fetched again when a server is unknown, refuses,
// or says that it is another one (at most once a second for each server). Any thread; a gatherer is for one. Gatherers
// must be gone before the client is.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/base/network.h"
#include "common/meta/cluster.h"
#include "common/meta/shards.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

class ChunkClient : public ShardTransport {
 public:
  // refresh: fetch the map first. May block; called without any mutex held.
  using AddressLookup = std::function<Result<Address>(ServerId, bool refresh)>;
  ChunkClient(Network& network, Clock& clock, AddressLookup lookup);
  ~ChunkClient() override;

  std::unique_ptr<ShardCalls> calls() override;         // shard_gatherer.h
  uint32_t reluctance(ServerId server) const override;  // server_health.h
  Duration usual_latency() const override;

  // One attempt each, except that a pooled connection that proves dead is replaced once. Repeating them is harmless.
  // Errors: the server's own; unavailable, timed_out: it may have happened.
  Status seal(const ShardRef& shard, uint64_t committed, Epoch fence, Instant deadline);
  Status punch(const ShardRef& shard, uint64_t place, uint64_t length, Instant deadline);
  Status remove(const ShardRef& shard, Instant deadline);
  // Up to `limit` shards of chunks behind `after`, in order; the list is complete when fewer came.
  Result<std::vector<ShardSummary>> list_shards(ServerId server, Incarnation incarnation, ChunkId after, uint32_t limit,
                                                Instant deadline);
  Result<ChunkserverStatus> status(ServerId server, Instant deadline);
  Result<RebuildProgress> rebuild(const RebuildShard& request, Instant deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn
