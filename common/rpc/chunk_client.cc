#include "common/rpc/chunk_client.h"

#include <fmt/format.h>

#include "common/rpc/server_pool.h"
#include "common/rpc/shard_gatherer.h"
#include "common/rpc/wire.h"

namespace cairn {

using Stub = thrift::ChunkserverClient;

struct ChunkClient::State {
  ServerPool pool;

  template <typename Request, typename Reply>
  auto call(ServerId server, void (Stub::*put)(const Request&), void (Stub::*get)(Reply&), const Request& request,
            Instant deadline) -> decltype(from_wire(std::declval<const Reply&>())) {
    for (bool fresh = false;; fresh = true) {
      ASSIGN(ServerPool::Taken taken, pool.take(server, fresh, deadline));
      Reply reply;
      const Status status = taken.connection->call(put, get, request, reply, deadline);
      if (status.ok()) {
        auto answer = from_wire(reply);
        if (!answer.ok() && answer.error().code == Errc::stale_boot) {
          pool.address_changed(server);  // and this connection is dropped
        } else {
          pool.give_back(server, std::move(taken.connection));
        }
        return answer;
      }
      if (fresh || !taken.reused || status.code() != Errc::unavailable) {
        return Error{status.code(), fmt::format("chunkserver {}: {}", raw(server), status.error().what)};
      }
    }
  }
};

ChunkClient::ChunkClient(Network& network, Clock& clock, AddressLookup lookup)
    : state_(new State{.pool = {network, clock, std::move(lookup)}}) {}

ChunkClient::~ChunkClient() = default;

std::unique_ptr<ShardCalls> ChunkClient::calls() { return std::make_unique<ShardGatherer>(state_->pool); }

uint32_t ChunkClient::reluctance(ServerId server) const { return state_->pool.reluctance(server); }

Duration ChunkClient::usual_latency() const { return state_->pool.usual_latency(); }

Status ChunkClient::seal(const ShardRef& shard, uint64_t committed, Epoch fence, Instant deadline) {
  return state_->call(shard.server, &Stub::send_seal, &Stub::recv_seal, to_wire(SealShard{shard, committed, fence}),
                      deadline);
}

Status ChunkClient::punch(const ShardRef& shard, uint64_t place, uint64_t length, Instant deadline) {
  return state_->call(shard.server, &Stub::send_punch, &Stub::recv_punch, to_wire(PunchShard{shard, place, length}),
                      deadline);
}

Status ChunkClient::remove(const ShardRef& shard, Instant deadline) {
  return state_->call(shard.server, &Stub::send_remove, &Stub::recv_remove, to_wire(shard), deadline);
}

Result<std::vector<ShardSummary>> ChunkClient::list_shards(ServerId server, Incarnation incarnation, ChunkId after,
                                                           uint32_t limit, Instant deadline) {
  std::vector<ShardSummary> all;
  while (all.size() < limit) {
    const ListShards request{incarnation, after, limit - static_cast<uint32_t>(all.size()), server};
    ASSIGN(ShardPage page,
           state_->call(server, &Stub::send_list_shards, &Stub::recv_list_shards, to_wire(request), deadline));
    all.insert(all.end(), page.shards.begin(), page.shards.end());
    if (page.complete) break;
    if (page.shards.empty() || page.shards.back().chunk <= after) {
      return Error{Errc::io,
                   fmt::format("chunkserver {} lists no further shards, yet says that there are more", raw(server))};
    }
    after = page.shards.back().chunk;
  }
  return all;
}

Result<ChunkserverStatus> ChunkClient::status(ServerId server, Instant deadline) {
  return state_->call(server, &Stub::send_status, &Stub::recv_status, thrift::ChunkserverStatusRequest(), deadline);
}

Result<RebuildProgress> ChunkClient::rebuild(const RebuildShard& request, Instant deadline) {
  return state_->call(request.shard.server, &Stub::send_rebuild, &Stub::recv_rebuild, to_wire(request), deadline);
}

}  // namespace cairn
