// The way to the other chunkservers, whose shards a rebuild reads: calls by server, addresses from the metaserver's
// map.
//
// The map is fetched when a server is not known, or does not answer where it was. Any thread; the mutex is not held
// while it is fetched. Gatherers must be gone before this is.
#pragma once

#include <map>

#include "common/base/network.h"
#include "common/base/thread.h"
#include "common/rpc/chunk_client.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class Peers : public ShardTransport {
 public:
  // metaserver: null if there is none (tests), and then no peer is known.
  Peers(Network& network, Clock& clock, MetaClient* metaserver);
  std::unique_ptr<ShardCalls> calls() override { return client_.calls(); }
  uint32_t reluctance(ServerId server) const override { return client_.reluctance(server); }
  Duration usual_latency() const override { return client_.usual_latency(); }

 private:
  Result<Address> address_of(ServerId server, bool refresh);

  MetaClient* const metaserver_;
  Mutex mutex_;
  std::map<ServerId, Address> addresses_;  // guarded by mutex_
  ChunkClient client_;
};

}  // namespace cairn
