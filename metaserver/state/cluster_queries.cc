// Reads of the chunk layer, the janitor's lists, sessions, servers, classes and sums (queries.h).
#include <algorithm>

#include "metaserver/state/command_codec.h"
#include "metaserver/state/queries.h"
#include "metaserver/state/row_list.h"
#include "metaserver/state/rows.h"

namespace cairn::queries {

namespace {

// The one number that a key of this table consists of.
Result<uint64_t> number_of(Table table, std::string_view key) {
  keys::Reader reader(table, key);
  const uint64_t number = reader.number();
  TRY(reader.finish());
  return number;
}

// The chunks that a table of chunk ids names, behind `after`.
Result<std::vector<ChunkInfo>> chunks_of(const StoreView& view, Table table, ChunkId after, uint32_t limit) {
  std::vector<ChunkInfo> infos;
  if (raw(after) == UINT64_MAX) return infos;
  ASSIGN(const std::vector<uint64_t> ids,
         list<uint64_t>(view, keys::first(table, raw(after) + 1), keys::last(table), limit,
                        [&](std::string_view key, std::string_view) { return number_of(table, key); }));
  for (const uint64_t id : ids) {
    ASSIGN(ChunkInfo info, chunk(view, ChunkId{id}));
    infos.push_back(std::move(info));
  }
  return infos;
}

Result<std::vector<OpenChunkRecord>> open_chunks_in(const StoreView& view, const std::string& from,
                                                    const std::string& to) {
  return list<OpenChunkRecord>(view, from, to, SIZE_MAX,
                               [](std::string_view key, std::string_view) -> Result<OpenChunkRecord> {
                                 keys::Reader reader(Table::open_chunk, key);
                                 OpenChunkRecord record;
                                 record.owner = SessionId{reader.number()};
                                 record.chunk = ChunkId{reader.number()};
                                 TRY(reader.finish());
                                 return record;
                               });
}

// Behind every row of a time queue with at most this time.
std::string behind(Table table, int64_t time_ns) {
  return keys::last(table, static_cast<uint64_t>(std::max<int64_t>(time_ns, 0)));
}

Result<SessionRecord> session_record(uint64_t id, const SessionRow& row) {
  return SessionRecord{SessionId{id}, row.request, row.opened_ns};
}

template <typename Row>
Result<Row> must_have(const StoreView& view, std::string_view key, const char* what) {
  ASSIGN(std::optional<Row> row, find_row<Row>(view, key));
  if (!row)
    return Error{Errc::not_found, std::string("the store has no ") + what + ": it is not a database of a metaserver"};
  return std::move(*row);
}

}  // namespace

Result<ChunkInfo> chunk(const StoreView& view, ChunkId id) {
  ASSIGN(std::optional<ChunkRow> row, find_chunk(view, id));
  if (!row) return Error{Errc::not_found, fmt::format("chunk {} does not exist", raw(id))};
  return std::move(row->info);
}

Result<std::vector<ChunkInfo>> chunks(const StoreView& view, ChunkId after, uint32_t limit) {
  if (raw(after) == UINT64_MAX) return std::vector<ChunkInfo>();
  return list<ChunkInfo>(view, keys::first(Table::chunk, raw(after) + 1), keys::last(Table::chunk), limit,
                         [&](std::string_view key, std::string_view value) -> Result<ChunkInfo> {
                           ASSIGN(ChunkRow row, decode_chunk(view, key, value));
                           return std::move(row.info);
                         });
}

Result<uint64_t> least_shard_end(const StoreView& view, const ChunkInfo& chunk, uint8_t shard) {
  ASSIGN(const std::vector<uint64_t> ends,
         list<uint64_t>(view, keys::first(Table::stripe, raw(chunk.chunk)), keys::last(Table::stripe, raw(chunk.chunk)),
                        SIZE_MAX, [&](std::string_view key, std::string_view value) -> Result<uint64_t> {
                          keys::Reader reader(Table::stripe, key);
                          reader.number();
                          const uint64_t place = reader.number();
                          TRY(reader.finish());
                          ASSIGN(const StripeRow stripe, decode_row<StripeRow>(value));
                          const bool stored = shard >= chunk.code.d || ((stripe.shape.present >> shard) & 1) != 0;
                          if (!stored || stripe.state != StripeState::live) return uint64_t{0};
                          return place + stripe.shape.header_bytes + kBlockBytes;
                        }));
  return ends.empty() ? 0 : *std::max_element(ends.begin(), ends.end());
}

Result<std::vector<OpenChunkRecord>> open_chunks(const StoreView& view) {
  return open_chunks_in(view, keys::first(Table::open_chunk), keys::last(Table::open_chunk));
}

Result<std::vector<OpenChunkRecord>> open_chunks(const StoreView& view, SessionId session) {
  return open_chunks_in(view, keys::first(Table::open_chunk, raw(session)),
                        keys::last(Table::open_chunk, raw(session)));
}

Result<std::vector<ChunkInfo>> pending_seals(const StoreView& view, ChunkId after, uint32_t limit) {
  return chunks_of(view, Table::pending_seal, after, limit);
}

Result<std::vector<ChunkInfo>> condemned_chunks(const StoreView& view, ChunkId after, uint32_t limit) {
  return chunks_of(view, Table::condemned, after, limit);
}

Result<std::vector<DeadStripeRecord>> dead_stripes(const StoreView& view, int64_t died_until_ns, uint32_t limit) {
  return list<DeadStripeRecord>(view, keys::first(Table::dead_stripe), behind(Table::dead_stripe, died_until_ns), limit,
                                [](std::string_view key, std::string_view value) -> Result<DeadStripeRecord> {
                                  keys::Reader reader(Table::dead_stripe, key);
                                  DeadStripeRecord record;
                                  record.died_ns = static_cast<int64_t>(reader.number());
                                  record.stripe.chunk = ChunkId{reader.number()};
                                  record.stripe.place = reader.number();
                                  TRY(reader.finish());
                                  ASSIGN(const DeadStripeRow row, decode_row<DeadStripeRow>(value));
                                  record.length = row.length;
                                  return record;
                                });
}

Result<std::vector<DeadChunkRecord>> dead_chunks(const StoreView& view, int64_t died_until_ns, uint32_t limit) {
  return list<DeadChunkRecord>(view, keys::first(Table::dead_chunk), behind(Table::dead_chunk, died_until_ns), limit,
                               [](std::string_view key, std::string_view) -> Result<DeadChunkRecord> {
                                 keys::Reader reader(Table::dead_chunk, key);
                                 DeadChunkRecord record;
                                 record.died_ns = static_cast<int64_t>(reader.number());
                                 record.chunk = ChunkId{reader.number()};
                                 TRY(reader.finish());
                                 return record;
                               });
}

Result<std::vector<InodeId>> maps_to_release(const StoreView& view, uint32_t limit) {
  return list<InodeId>(view, keys::first(Table::release), keys::last(Table::release), limit,
                       [](std::string_view key, std::string_view) -> Result<InodeId> {
                         ASSIGN(const uint64_t map, number_of(Table::release, key));
                         return InodeId{map};
                       });
}

Result<std::vector<SessionRecord>> sessions(const StoreView& view) {
  return list<SessionRecord>(view, keys::first(Table::session), keys::last(Table::session), SIZE_MAX,
                             [](std::string_view key, std::string_view value) -> Result<SessionRecord> {
                               ASSIGN(const uint64_t id, number_of(Table::session, key));
                               ASSIGN(const SessionRow row, decode_row<SessionRow>(value));
                               return session_record(id, row);
                             });
}

Result<std::optional<SessionRecord>> session(const StoreView& view, SessionId id) {
  ASSIGN(const std::optional<SessionRow> row, find_row<SessionRow>(view, keys::session(id)));
  if (!row) return std::optional<SessionRecord>();
  ASSIGN(SessionRecord record, session_record(raw(id), *row));
  return std::optional<SessionRecord>(std::move(record));
}

Result<std::vector<ServerRecord>> servers(const StoreView& view) {
  return list<ServerRecord>(view, keys::first(Table::server), keys::last(Table::server), SIZE_MAX,
                            [&](std::string_view key, std::string_view value) -> Result<ServerRecord> {
                              keys::Reader reader(Table::server, key);
                              const ServerId server{reader.number32()};
                              TRY(reader.finish());
                              ASSIGN(ServerRow row, decode_row<ServerRow>(value));
                              ASSIGN(const std::optional<ServerStateRow> state,
                                     find_row<ServerStateRow>(view, keys::server_state(server)));
                              return ServerRecord{server, std::move(row.uuid), std::move(row.address),
                                                  std::move(row.labels), state ? state->state : ServerState::active};
                            });
}

Result<std::vector<StorageClass>> classes(const StoreView& view) {
  return list<StorageClass>(view, keys::first(Table::storage_class), keys::last(Table::storage_class), SIZE_MAX,
                            [](std::string_view, std::string_view value) -> Result<StorageClass> {
                              ASSIGN(ClassRow row, decode_row<ClassRow>(value));
                              return std::move(row.storage_class);
                            });
}

Result<StorageClass> storage_class(const StoreView& view, ClassId id) {
  ASSIGN(std::optional<ClassRow> row, find_row<ClassRow>(view, keys::storage_class(id)));
  if (!row) return Error{Errc::not_found, fmt::format("storage class {} does not exist", raw(id))};
  return std::move(row->storage_class);
}

Result<std::optional<Outcome>> outcome(const StoreView& view, SessionId session, RequestId request) {
  ASSIGN(const std::optional<std::string> bytes, view.get(keys::outcome(session, request)));
  if (!bytes) return std::optional<Outcome>();
  ASSIGN(Outcome stored, decode_outcome(*bytes));
  return std::optional<Outcome>(std::move(stored));
}

Result<Counters> counters(const StoreView& view) {
  ASSIGN(const CountersRow row, must_have<CountersRow>(view, kCountersKey, "counters"));
  return row.counters;
}

Result<Incarnation> incarnation(const StoreView& view) {
  ASSIGN(const IdentityRow row, must_have<IdentityRow>(view, kIdentityKey, "identity"));
  return row.incarnation;
}

Result<Applied> applied(const StoreView& view) {
  ASSIGN(const AppliedRow row, must_have<AppliedRow>(view, kAppliedKey, "applied index"));
  return row.applied;
}

}  // namespace cairn::queries
