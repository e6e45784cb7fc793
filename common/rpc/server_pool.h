// Connections to chunkservers, kept for the next caller, and how each server has answered lately.
//
// A connection is with its taker alone until it is given back, which needs that nothing is outstanding on it. The last
// one given back is taken first, so that few stay warm. Any thread. Not here: calls (chunk_client.cc,
// shard_gatherer.h).
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "Chunkserver.h"
#include "common/base/network.h"
#include "common/base/thread.h"
#include "common/base/types.h"
#include "common/rpc/rpc_connection.h"
#include "common/rpc/server_health.h"

namespace cairn {

class ServerPool {
 public:
  using Connection = RpcConnection<thrift::ChunkserverClient>;
  // With refresh, the map is fetched again first. May block as long as that takes.
  using AddressLookup = std::function<Result<Address>(ServerId, bool refresh)>;
  struct Taken {
    std::unique_ptr<Connection> connection;
    bool reused = false;  // it may have died while it lay idle
  };

  ServerPool(Network& network, Clock& clock, AddressLookup lookup);

  // An idle connection, else a new one. fresh: idle ones have proved dead; they are dropped and a new one is made.
  // Errors: unavailable (also when the address cannot be found out), timed_out. A server that did not even refuse is
  // not tried again for a second.
  Result<Taken> take(ServerId server, bool fresh, Instant deadline);
  void give_back(ServerId server, std::unique_ptr<Connection> connection);
  // Another process answers at the address that was used: drops idle connections, and looks the address up again.
  void address_changed(ServerId server);

  void started(ServerId server);
  void answered(ServerId server, Duration latency);
  void abandoned(ServerId server, Duration waited);
  void failed(ServerId server);
  uint32_t reluctance(ServerId server) const;
  Duration usual_latency() const;  // the median over the servers that were asked

  Network& network() { return network_; }
  Clock& clock() { return clock_; }

 private:
  struct Server {
    std::vector<std::unique_ptr<Connection>> idle;
    ServerHealth health;
    bool address_is_stale = false;
    Instant refreshed_at{INT64_MIN};  // the last lookup with refresh that was caused here
    Instant silent_until{INT64_MIN};  // it let a connect time out: refused without trying until then
  };
  Result<std::unique_ptr<Stream>> connect(ServerId server, Instant deadline);
  bool may_refresh(ServerId server, bool needed);

  Network& network_;
  Clock& clock_;
  const AddressLookup lookup_;
  mutable Mutex mutex_;
  std::unordered_map<ServerId, Server> servers_;  // guarded by mutex_
};

}  // namespace cairn
