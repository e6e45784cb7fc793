// What repair looks at: the stripes of a chunk, and the shards that moves have left behind (queries.h).
#include "metaserver/state/queries.h"
#include "metaserver/state/row_list.h"
#include "metaserver/state/rows.h"

namespace cairn::queries {

Result<std::vector<StaleShardRecord>> stale_shards(const StoreView& view, ServerId server, ChunkId after,
                                                   uint32_t limit) {
  if (raw(after) == UINT64_MAX) return std::vector<StaleShardRecord>();
  const std::string end = raw(server) == UINT32_MAX ? keys::last(Table::stale_shard)
                                                    : keys::stale_shard(ServerId{raw(server) + 1}, ChunkId{}, 0);
  return list<StaleShardRecord>(view, keys::stale_shard(server, ChunkId{raw(after) + 1}, 0), end, limit,
                                [](std::string_view key, std::string_view value) -> Result<StaleShardRecord> {
                                  keys::Reader reader(Table::stale_shard, key);
                                  StaleShardRecord record;
                                  record.shard.server = ServerId{reader.number32()};
                                  record.shard.chunk = ChunkId{reader.number()};
                                  record.shard.shard = static_cast<uint8_t>(reader.number32());
                                  TRY(reader.finish());
                                  ASSIGN(const StaleShardRow row, decode_row<StaleShardRow>(value));
                                  record.since_ns = row.since_ns;
                                  return record;
                                });
}

Result<std::optional<int64_t>> stale_since_ns(const StoreView& view, const StaleShard& shard) {
  ASSIGN(const auto row, find_row<StaleShardRow>(view, keys::stale_shard(shard.server, shard.chunk, shard.shard)));
  return row ? std::optional(row->since_ns) : std::nullopt;
}

Result<std::vector<StripeAt>> stripes(const StoreView& view, ChunkId chunk, uint64_t from, uint32_t limit) {
  // Punched ones are read as holes, and left out here: they do not count.
  std::vector<StripeAt> found;
  Status damaged;
  TRY(view.scan(keys::stripe(chunk, from), keys::last(Table::stripe, raw(chunk)),
                [&](std::string_view key, std::string_view value) {
                  keys::Reader reader(Table::stripe, key);
                  reader.number();
                  const uint64_t place = reader.number();
                  damaged = reader.finish();
                  if (!damaged.ok()) return false;
                  const auto row = decode_row<StripeRow>(value);
                  if (!row.ok()) {
                    damaged = row.error();
                    return false;
                  }
                  if (row->state != StripeState::punched)
                    found.push_back({place, row->shape, row->state == StripeState::dead});
                  return found.size() < limit;
                }));
  TRY(damaged);
  return found;
}

Result<bool> punched(const StoreView& view, ChunkId chunk, uint64_t place) {
  ASSIGN(const auto row, find_row<StripeRow>(view, keys::stripe(chunk, place)));
  if (!row) return Error{Errc::not_found, fmt::format("chunk {} has no stripe at place {}", raw(chunk), place)};
  return row->state == StripeState::punched;
}

}  // namespace cairn::queries
