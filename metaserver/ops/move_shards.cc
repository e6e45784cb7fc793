// A shard is made again on another server, and the chunk's row names that one from then on.
//
//   PlanShards   (to, chunk, shard) is stale: whatever becomes of the plan, what was made there is not forgotten
//   MoveShards   servers[shard] == from and (to, ...) planned:  servers[shard] = to, and (from, ...) is stale instead
//                anything else has changed meanwhile:           nothing, so what was made at `to` stays stale
//
// A stale shard is removed when no layout can name it any more, and its row goes when its server has confirmed that, or
// does not belong to the cluster any more.
#include <algorithm>

#include "common/probes/rare_path.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

bool names(const std::optional<ChunkRow>& chunk, ServerId server, uint8_t shard) {
  return chunk && shard < chunk->info.servers.size() && chunk->info.servers[shard] == server;
}

bool holds_any(const ChunkRow& chunk, ServerId server) {
  return std::ranges::find(chunk.info.servers, server) != chunk.info.servers.end();
}

Result<bool> belongs(Operation& operation, ServerId server) {
  ASSIGN(const auto row, find_row<ServerRow>(operation.rows, keys::server(server)));
  ASSIGN(const auto state, find_row<ServerStateRow>(operation.rows, keys::server_state(server)));
  return row && (!state || state->state != ServerState::removed);
}

Status leave_behind(Operation& operation, const StaleShard& shard) {
  ASSIGN(const bool there, belongs(operation, shard.server));
  if (!there) return {};
  operation.rows.put(keys::stale_shard(shard.server, shard.chunk, shard.shard),
                     encode_row(StaleShardRow{operation.wall_ns}));
  return {};
}

Status move(Operation& operation, const ShardMove& move) {
  ASSIGN(std::optional<ChunkRow> chunk, find_chunk(operation.rows, move.chunk));
  if (names(chunk, move.to, move.shard)) return {};  // asked twice
  const std::string planned_row = keys::stale_shard(move.to, move.chunk, move.shard);
  ASSIGN(const auto planned, find_row<StaleShardRow>(operation.rows, planned_row));
  ASSIGN(const bool there, belongs(operation, move.to));
  if (!planned || !there || !names(chunk, move.from, move.shard) || chunk->state != ChunkState::sealed ||
      holds_any(*chunk, move.to)) {
    reached(RarePath::refused_move);
    return leave_behind(operation, {move.to, move.chunk, move.shard});
  }
  chunk->info.servers[move.shard] = move.to;
  operation.rows.put(keys::chunk(move.chunk), encode_row(*chunk));
  operation.rows.erase(planned_row);
  reached(RarePath::moved_shard);
  return leave_behind(operation, {move.from, move.chunk, move.shard});
}

}  // namespace

Result<Answer> run(Operation& operation, const PlanShards& request) {
  for (const StaleShard& shard : request.shards) {
    ASSIGN(const std::optional<ChunkRow> chunk, find_chunk(operation.rows, shard.chunk));
    ASSIGN(const bool there, belongs(operation, shard.server));
    if (!chunk || shard.shard >= chunk->info.servers.size() || !there)
      return Error{Errc::not_found, fmt::format("chunk {} shard {}, or chunkserver {}, does not exist",
                                                raw(shard.chunk), shard.shard, raw(shard.server))};
    ASSIGN(const auto stale, queries::stale_since_ns(operation.rows, shard));
    if (stale || holds_any(*chunk, shard.server))
      return Error{Errc::exists, fmt::format("chunkserver {} has, or may have, a shard of chunk {}", raw(shard.server),
                                             raw(shard.chunk))};
    TRY(leave_behind(operation, shard));
  }
  return Answer();
}

Result<Answer> run(Operation& operation, const MoveShards& request) {
  for (const ShardMove& one : request.moves) TRY(move(operation, one));
  return Answer();
}

Result<Answer> run(Operation& operation, const StaleShardsRemoved& request) {
  for (const StaleShard& shard : request.shards)
    operation.rows.erase(keys::stale_shard(shard.server, shard.chunk, shard.shard));
  return Answer();
}

}  // namespace cairn::ops
