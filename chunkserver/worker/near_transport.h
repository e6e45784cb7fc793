// A ShardTransport that reads the shards of one server from its disk, and all others over the network.
//
//   read of our own server's shard --> LocalShards --> a completion at once      counted: near
//            it is not there, or the disk fails --> the network, as any other
//   any other call ---------------------------------> the network
//
// With it the common reader (common/stripe/stripe_reader.h) does for a task what it does for a client: it verifies
// every block, and what is missing, wrong or late is decoded from other shards. Calls of one gatherer are made by one
// thread, as always; a transport of this kind is for one thread altogether.
// Not here: bytes of the network (counting_network.h counts them).
#pragma once

#include <cstdint>

#include "chunkserver/worker/local_shards.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

class NearTransport : public ShardTransport {
 public:
  struct Counts {
    uint64_t local_bytes = 0;  // read from this server's disk: headers and cells
    uint64_t local_reads = 0;  // so many calls
    uint64_t local_misses =
        0;  // of this server's shards, asked for over the network because the disk did not have them
  };

  // Both outlive this.
  NearTransport(ServerId own, LocalShards& local, ShardTransport& network)
      : own_(own), local_(local), network_(network) {}

  std::unique_ptr<ShardCalls> calls() override;
  uint32_t reluctance(ServerId server) const override { return server == own_ ? 0 : network_.reluctance(server); }
  Duration usual_latency() const override { return network_.usual_latency(); }
  const Counts& counts() const { return counts_; }

 private:
  class Calls;
  const ServerId own_;
  LocalShards& local_;
  ShardTransport& network_;
  Counts counts_;
};

}  // namespace cairn
