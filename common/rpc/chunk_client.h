// Calls to chunkservers, in our own types: the network's ShardTransport, and the metaserver's housekeeping calls.
//
// Connections are pooled per server; a gatherer borrows one for each server that it speaks to and returns it when all its answers
// have come. Addresses come from the cluster map, which is fetched again when a server is unknown or refuses.
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
  using AddressLookup = std::function<Result<Address>(ServerId, bool refresh)>;
  ChunkClient(Network& network, Clock& clock, AddressLookup lookup);
  ~ChunkClient() override;

  std::unique_ptr<ShardCalls> calls() override;
  uint32_t reluctance(ServerId server) const override;

  Status seal(const ShardRef& shard, uint64_t committed, Epoch fence, Instant deadline);
  Status punch(const ShardRef& shard, uint64_t place, uint64_t length, Instant deadline);
  Status remove(const ShardRef& shard, Instant deadline);
  Result<std::vector<ShardSummary>> list_shards(ServerId server, Incarnation incarnation, ChunkId after, uint32_t limit, Instant deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn
