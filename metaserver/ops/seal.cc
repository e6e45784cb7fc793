// open -> sealed: by the owner after a failure or at its end, and by the metaserver when a server of the chunk is gone.
#include "common/probes/planted_bug.h"
#include "metaserver/ops/chunks.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

Status seal(Operation& operation, ChunkRow chunk) {
  if (chunk.state != ChunkState::open) return {};
  const ChunkId id = chunk.info.chunk;
  ASSIGN(queries::Counters* const counters, operation.counters());
  chunk.state = ChunkState::sealed;
  if (planted(PlantedBug::swap_shards)) std::swap(chunk.info.servers.front(), chunk.info.servers.back());
  --counters->open_chunks;
  operation.rows.erase(keys::open_chunk(chunk.owner, id));
  operation.rows.put(keys::pending_seal(id), encode_row(operation.born()));
  bury_if_dead(operation.rows, *counters, operation.index, operation.wall_ns, chunk);
  operation.rows.put(keys::chunk(id), encode_row(chunk));
  return {};
}

Status seal_all_of(Operation& operation, SessionId session) {
  ASSIGN(const std::vector<queries::OpenChunkRecord> open, queries::open_chunks(operation.rows, session));
  for (const queries::OpenChunkRecord& record : open) {
    ASSIGN(std::optional<ChunkRow> chunk, find_chunk(operation.rows, record.chunk));
    if (!chunk)
      return Error{Errc::corrupt, fmt::format("metadata: the open chunk {} does not exist", raw(record.chunk))};
    TRY(seal(operation, std::move(*chunk)));
  }
  return {};
}

Result<Answer> run(Operation& operation, const SealChunks& request) {
  for (const ChunkId id : request.chunks) {
    ASSIGN(std::optional<ChunkRow> chunk, find_chunk(operation.rows, id));
    if (!chunk) continue;  // sealed, dead and removed long ago
    if (chunk->owner != operation.session && chunk->state == ChunkState::open) {
      return Error{Errc::not_permitted, fmt::format("chunk {} is open for another session", raw(id))};
    }
    TRY(seal(operation, std::move(*chunk)));
  }
  return Answer();
}

Result<Answer> run(Operation& operation, const SealForRepair& request) {
  for (const ChunkId id : request.chunks) {
    ASSIGN(std::optional<ChunkRow> chunk, find_chunk(operation.rows, id));
    if (chunk) TRY(seal(operation, std::move(*chunk)));
  }
  return Answer();
}

}  // namespace cairn::ops
