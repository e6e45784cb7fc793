#include "metaserver/state/space_ledger.h"

#include "common/probes/planted_bug.h"

namespace cairn {

namespace {

// live + change, or none where that is below zero.
std::optional<uint64_t> sum(uint64_t live, int64_t change) {
  if (change >= 0) return live + static_cast<uint64_t>(change);
  const uint64_t less = static_cast<uint64_t>(-change);
  if (less > live) return std::nullopt;
  return live - less;
}

Error below_zero(const char* what, ChunkId chunk) {
  return {Errc::corrupt,
          fmt::format("metadata: the live bytes of {} of chunk {} would fall below zero", what, raw(chunk))};
}

}  // namespace

void SpaceLedger::add(MapId map, const Extent& extent) {
  change(extent, +1);
  chunks_[extent.chunk].maps[map] += static_cast<int64_t>(extent.length);
}

void SpaceLedger::remove(MapId map, const Extent& extent) {
  change(extent, -1);
  chunks_[extent.chunk].maps[map] -= static_cast<int64_t>(extent.length);
}

void SpaceLedger::mention(const Extent& extent) { change(extent, 0); }

void SpaceLedger::change(const Extent& extent, int sign) {
  ChunkChange& chunk = chunks_[extent.chunk];
  chunk.bytes += sign * static_cast<int64_t>(extent.length);
  const uint64_t stripe_bytes = extent.shape.data_bytes();
  uint64_t place = extent.place;
  uint64_t position = extent.position;
  for (uint64_t left = extent.length; left > 0; place += extent.shape.stride(), position = 0) {
    const uint64_t here = std::min(left, stripe_bytes - position);
    const auto [stripe, is_new] = chunk.stripes.try_emplace(place, StripeChange{0, extent.shape});
    if (stripe->second.shape != extent.shape) contradiction_ = true;
    stripe->second.bytes += sign * static_cast<int64_t>(here);
    left -= here;
  }
}

Status SpaceLedger::settle(Transaction& transaction, queries::Counters& counters, const Moment& moment) {
  if (contradiction_) return Error{Errc::invalid, "two stripes of different shape were named at one place"};
  for (const auto& [id, change] : chunks_) {
    ASSIGN(std::optional<ChunkRow> chunk, find_chunk(transaction, id));
    if (!chunk)
      return Error{Errc::corrupt, fmt::format("metadata: extents refer to chunk {}, which does not exist", raw(id))};
    uint64_t end = 0;
    for (const auto& [place, stripe] : change.stripes) {
      if (place < end)
        return Error{Errc::invalid, fmt::format("two stripes overlap at place {} of chunk {}", place, raw(id))};
      end = place + stripe.shape.stride();
      TRY(settle_stripe(transaction, counters, moment, *chunk, place, stripe));
    }
    TRY(settle_maps(transaction, id, change));
    TRY(settle_chunk(transaction, counters, moment, std::move(*chunk), change.bytes));
  }
  chunks_.clear();
  return {};
}

Status SpaceLedger::settle_stripe(Transaction& transaction, queries::Counters& counters, const Moment& moment,
                                  const ChunkRow& chunk, uint64_t place, const StripeChange& change) {
  const ChunkId id = chunk.info.chunk;
  const std::string key = keys::stripe(id, place);
  ASSIGN(std::optional<StripeRow> found, find_row<StripeRow>(transaction, key));
  if (found && found->shape != change.shape) {
    return Error{Errc::invalid, fmt::format("the stripe at place {} of chunk {} has another shape", place, raw(id))};
  }
  if (found && found->state != StripeState::live) {
    if (change.bytes == 0) return {};  // only mentioned
    if (change.bytes < 0) return below_zero("a dead stripe", id);
    return Error{Errc::stale_epoch,
                 fmt::format("the stripe at place {} of chunk {} is already given back", place, raw(id))};
  }
  if (!found && change.bytes < 0) return below_zero("an unknown stripe", id);
  if (!found && (moment.writer == SessionId{} || chunk.owner != moment.writer)) {
    return Error{Errc::invalid, fmt::format("chunk {} has no stripe at place {}", raw(id), place)};
  }
  StripeRow row = found ? *found : StripeRow{.birth = moment.index, .shape = change.shape};
  const auto live = sum(row.live_bytes, change.bytes);
  if (!live) return below_zero("a stripe", id);
  row.live_bytes = *live;
  const bool early = planted(PlantedBug::release_early) && change.bytes < 0;
  if (row.live_bytes == 0 || early) {
    row.state = StripeState::dead;
    row.died_ns = moment.wall_ns;
    transaction.put(keys::dead_stripe(row.died_ns, id, place), encode_row(DeadStripeRow{row.shape.stride()}));
    ++counters.pending_punches;
  }
  if (found != row) transaction.put(key, encode_row(row));
  return {};
}

Status SpaceLedger::settle_maps(Transaction& transaction, ChunkId chunk, const ChunkChange& change) {
  for (const auto& [map, bytes] : change.maps) {
    if (bytes == 0) continue;
    const std::string key = keys::chunk_ref(chunk, map);
    ASSIGN(const std::optional<ChunkRefRow> found, find_row<ChunkRefRow>(transaction, key));
    const auto live = sum(found ? found->live_bytes : 0, bytes);
    if (!live) return below_zero("an extent map", chunk);
    if (*live == 0) {
      transaction.erase(key);
    } else {
      transaction.put(key, encode_row(ChunkRefRow{*live}));
    }
  }
  return {};
}

Status SpaceLedger::settle_chunk(Transaction& transaction, queries::Counters& counters, const Moment& moment,
                                 ChunkRow chunk, int64_t bytes) {
  if (bytes == 0) return {};
  const ChunkId id = chunk.info.chunk;
  if (chunk.state >= ChunkState::dead) {
    if (bytes < 0) return below_zero("the dead", id);
    return Error{Errc::stale_epoch, fmt::format("chunk {} is already given back", raw(id))};
  }
  const auto live = sum(chunk.info.live_bytes, bytes);
  const auto total = sum(counters.live_bytes, bytes);
  if (!live || !total) return below_zero("all", id);
  chunk.info.live_bytes = *live;
  counters.live_bytes = *total;
  bury_if_dead(transaction, counters, moment.index, moment.wall_ns, chunk);
  transaction.put(keys::chunk(id), encode_row(chunk));
  return {};
}

void bury_if_dead(Transaction& transaction, queries::Counters& counters, LogIndex index, int64_t wall_ns,
                  ChunkRow& chunk) {
  if (chunk.state != ChunkState::sealed || chunk.info.live_bytes != 0) return;
  chunk.state = ChunkState::dead;
  chunk.died_ns = wall_ns;
  transaction.put(keys::dead_chunk(wall_ns, chunk.info.chunk), encode_row(BirthRow{index}));
  ++counters.garbage_chunks;
}

}  // namespace cairn
