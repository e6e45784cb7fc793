#include "metaserver/servers/stale_shards.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "metaserver/servers/errands.h"

namespace cairn {
namespace {

constexpr uint32_t kPerServer = 256;  // and round

bool names(const Result<ChunkInfo>& chunk, const StaleShard& shard) {
  return chunk.ok() && shard.shard < chunk->servers.size() && chunk->servers[shard.shard] == shard.server;
}

// Whether it may be removed now. Requires that it is not being made: then nobody will name it there before its row is
// gone, and what was decided before that is in this view.
Result<bool> may_remove(const StoreView& view, const StaleShard& shard, int64_t stale_until_ns) {
  ASSIGN(const auto since_ns, queries::stale_since_ns(view, shard));
  if (!since_ns || *since_ns > stale_until_ns) return false;
  const auto chunk = queries::chunk(view, shard.chunk);
  if (!chunk.ok() && chunk.code() != Errc::not_found) return chunk.error();
  if (!names(chunk, shard)) return true;
  spdlog::error("chunk {} shard {} is in use on chunkserver {}, yet listed as stale: it is left alone",
                raw(shard.chunk), shard.shard, raw(shard.server));
  return false;
}

Result<std::vector<StaleShard>> remove_from(const OrderedStore& store, ServerId server, Incarnation incarnation,
                                            int64_t stale_until_ns, const StaleShardCalls& calls) {
  std::vector<StaleShard> done;
  ASSIGN(const auto found, queries::stale_shards(*store.view(), server, ChunkId{}, kPerServer));
  for (const auto& [shard, since_ns] : found) {
    if (since_ns > stale_until_ns || calls.being_made(shard)) continue;
    ASSIGN(const bool now, may_remove(*store.view(), shard, stale_until_ns));
    if (!now) continue;
    const Status answer = calls.remove({server, incarnation, shard.chunk, shard.shard});
    if (confirms(answer)) {
      done.push_back(shard);
      continue;
    }
    spdlog::debug("chunkserver {} keeps a stale shard of chunk {}: {}", raw(server), raw(shard.chunk),
                  answer.error().what);
    break;  // the next round tries again
  }
  return done;
}

}  // namespace

Status remove_stale_shards(const OrderedStore& store, const Cluster& cluster, Incarnation incarnation,
                           std::optional<int64_t> stale_until_ns, const StaleShardCalls& calls) {
  for (const ServerId server : cluster.removed()) {
    ASSIGN(const auto found, queries::stale_shards(*store.view(), server, ChunkId{}, kPerServer));
    std::vector<StaleShard> gone;
    for (const auto& record : found) gone.push_back(record.shard);
    if (!gone.empty()) TRY(calls.confirmed(std::move(gone)));
  }
  if (!stale_until_ns) return {};
  for (const auto& [server, health] : cluster.health()) {
    if (!answers(health)) continue;
    ASSIGN(std::vector<StaleShard> done, remove_from(store, server, incarnation, *stale_until_ns, calls));
    if (!done.empty()) TRY(calls.confirmed(std::move(done)));
  }
  return {};
}

}  // namespace cairn
