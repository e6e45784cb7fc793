// The end of chunks and stripes: what the janitor has made sure of becomes part of the state.
//
//   sealed --last live byte goes--> dead --quarantine--> condemned --every server confirmed--> no rows
//   stripe: live --last live byte goes--> dead --quarantine, every server punched--> punched
#include "common/probes/rare_path.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

// The chunk's stripes need no punching any more: their shards go as a whole.
Status erase_stripes(Operation& operation, ChunkId chunk, queries::Counters& counters) {
  std::vector<uint64_t> places;
  Status damaged;
  TRY(operation.rows.scan(keys::first(Table::stripe, raw(chunk)), keys::last(Table::stripe, raw(chunk)),
                          [&](std::string_view key, std::string_view) {
                            keys::Reader reader(Table::stripe, key);
                            reader.number();
                            places.push_back(reader.number());
                            damaged = reader.finish();
                            return damaged.ok();
                          }));
  TRY(damaged);
  for (const uint64_t place : places) {
    const std::string key = keys::stripe(chunk, place);
    ASSIGN(const std::optional<StripeRow> stripe, find_row<StripeRow>(operation.rows, key));
    if (stripe && stripe->state == StripeState::dead) {
      operation.rows.erase(keys::dead_stripe(stripe->died_ns, chunk, place));
      --counters.pending_punches;
    }
    operation.rows.erase(key);
  }
  return {};
}

}  // namespace

Result<Answer> run(Operation& operation, const CondemnChunks& request) {
  ASSIGN(queries::Counters* const counters, operation.counters());
  for (const ChunkId id : request.chunks) {
    ASSIGN(std::optional<ChunkRow> chunk, find_chunk(operation.rows, id));
    if (!chunk || chunk->state == ChunkState::condemned) continue;  // asked twice
    if (chunk->state != ChunkState::dead) return Error{Errc::invalid, fmt::format("chunk {} is not dead", raw(id))};
    TRY(erase_stripes(operation, id, *counters));
    operation.rows.erase(keys::dead_chunk(chunk->died_ns, id));
    operation.rows.put(keys::condemned(id), encode_row(operation.born()));
    chunk->state = ChunkState::condemned;
    reached(RarePath::quarantine);
    operation.rows.put(keys::chunk(id), encode_row(*chunk));
  }
  return Answer();
}

Result<Answer> run(Operation& operation, const ChunksRemoved& request) {
  ASSIGN(queries::Counters* const counters, operation.counters());
  for (const ChunkId id : request.chunks) {
    ASSIGN(const std::optional<ChunkRow> chunk, find_chunk(operation.rows, id));
    if (!chunk) continue;  // asked twice
    if (chunk->state != ChunkState::condemned)
      return Error{Errc::invalid, fmt::format("chunk {} is not condemned", raw(id))};
    operation.rows.erase(keys::chunk(id));
    operation.rows.erase(keys::condemned(id));
    operation.rows.erase(keys::pending_seal(id));
    --counters->chunks;
    --counters->garbage_chunks;
    if (chunk->shortened) --counters->shortened_chunks;
  }
  return Answer();
}

Result<Answer> run(Operation& operation, const StripesPunched& request) {
  ASSIGN(queries::Counters* const counters, operation.counters());
  for (const DeadStripe& punched : request.stripes) {
    const std::string key = keys::stripe(punched.chunk, punched.place);
    ASSIGN(std::optional<StripeRow> stripe, find_row<StripeRow>(operation.rows, key));
    if (!stripe || stripe->state == StripeState::punched) continue;  // its chunk went meanwhile, or asked twice
    if (stripe->state != StripeState::dead) {
      return Error{Errc::invalid,
                   fmt::format("the stripe at place {} of chunk {} is not dead", punched.place, raw(punched.chunk))};
    }
    operation.rows.erase(keys::dead_stripe(stripe->died_ns, punched.chunk, punched.place));
    --counters->pending_punches;
    // The row stays as long as the chunk: nothing may refer to this place again.
    stripe->state = StripeState::punched;
    operation.rows.put(key, encode_row(*stripe));
  }
  return Answer();
}

Result<Answer> run(Operation& operation, const SealsConfirmed& request) {
  for (const ChunkId id : request.chunks) operation.rows.erase(keys::pending_seal(id));
  return Answer();
}

}  // namespace cairn::ops
