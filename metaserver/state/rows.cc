#include "metaserver/state/rows.h"

#include <sys/stat.h>

#include "metaserver/state/row_codec.h"

namespace cairn {

bool usable(const ChunkRow& row) {
  return row.state <= ChunkState::condemned && row.info.code.d >= 1 && row.info.code.d <= kMaxDataShards &&
         row.info.code.m <= kMaxParityShards && row.info.servers.size() == row.info.code.shards();
}
bool usable(const ServerStateRow& row) { return raw(row.state) < kServerStates; }
bool usable(const StripeRow& row) { return row.state <= StripeState::punched && valid(row.shape); }
bool usable(const ExtentRow& row) { return row.extent.length > 0; }  // the rest needs the key: decode_extent

template <Of<DentryRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.inode, v.cookie);
}
template <Of<CookieRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.inode, v.name);
}
template <Of<InodeRow> V>
auto fields(V& v) {
  auto& a = v.attributes;
  return std::tie(v.birth, v.fileset, a.version, a.mode, a.links, a.uid, a.gid, a.size, a.stored, a.rdev, a.atime,
                  a.mtime, a.ctime, a.storage_class, a.generation, v.parent, v.next_cookie, v.map, v.extents,
                  v.content_bytes, v.xattr_names, v.xattr_bytes);
}
template <Of<ExtentRow> V>
auto fields(V& v) {
  auto& e = v.extent;
  return std::tie(v.birth, e.length, e.chunk, e.place, e.position, e.shape);
}
template <Of<BirthRow> V>
auto fields(V& v) {
  return std::tie(v.birth);
}
template <Of<ChunkRow> V>
auto fields(V& v) {
  auto& i = v.info;
  return std::tie(v.birth, i.storage_class, i.code, i.servers, i.committed, i.writer_epoch, i.live_bytes, i.cell_bytes,
                  i.shard_limit, v.owner, v.state, v.died_ns, v.shortened);
}
template <Of<StripeRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.shape, v.live_bytes, v.state, v.died_ns);
}
template <Of<ChunkRefRow> V>
auto fields(V& v) {
  return std::tie(v.live_bytes);
}
template <Of<DeadStripeRow> V>
auto fields(V& v) {
  return std::tie(v.length);
}
template <Of<SessionRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.request, v.opened_ns);
}
template <Of<NonceRow> V>
auto fields(V& v) {
  return std::tie(v.session);
}
template <Of<OutcomeWindowRow> V>
auto fields(V& v) {
  return std::tie(v.lowest_unanswered, v.first_kept);
}
template <Of<ServerRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.uuid, v.address, v.labels);
}
template <Of<ServerStateRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.state);
}
template <Of<StaleShardRow> V>
auto fields(V& v) {
  return std::tie(v.since_ns);
}
template <Of<UuidRow> V>
auto fields(V& v) {
  return std::tie(v.server);
}
template <Of<ClassRow> V>
auto fields(V& v) {
  return std::tie(v.birth, v.storage_class);
}
template <Of<ClassNameRow> V>
auto fields(V& v) {
  return std::tie(v.id);
}
template <Of<AppliedRow> V>
auto fields(V& v) {
  return std::tie(v.applied.index, v.applied.wall_ns);
}
template <Of<CountersRow> V>
auto fields(V& v) {
  auto& c = v.counters;
  return std::tie(c.inodes, c.chunks, c.open_chunks, c.shortened_chunks, c.live_bytes, c.pending_punches,
                  c.garbage_chunks, c.sessions, c.map_epoch, c.next_inode, c.next_chunk, c.next_session,
                  c.next_writer_epoch, c.next_server, c.next_class);
}
template <Of<IdentityRow> V>
auto fields(V& v) {
  return std::tie(v.incarnation, v.created_ns);
}

// One line for each kind of row.
CAIRN_ROW(DentryRow);
CAIRN_ROW(CookieRow);
CAIRN_ROW(InodeRow);
CAIRN_ROW(ExtentRow);
CAIRN_ROW(BirthRow);
CAIRN_ROW(ChunkRow);
CAIRN_ROW(StripeRow);
CAIRN_ROW(ChunkRefRow);
CAIRN_ROW(DeadStripeRow);
CAIRN_ROW(SessionRow);
CAIRN_ROW(NonceRow);
CAIRN_ROW(OutcomeWindowRow);
CAIRN_ROW(ServerRow);
CAIRN_ROW(ServerStateRow);
CAIRN_ROW(StaleShardRow);
CAIRN_ROW(UuidRow);
CAIRN_ROW(ClassRow);
CAIRN_ROW(ClassNameRow);
CAIRN_ROW(AppliedRow);
CAIRN_ROW(CountersRow);
CAIRN_ROW(IdentityRow);

Result<std::optional<InodeRow>> find_inode(const StoreView& view, InodeId inode) {
  auto row = find_row<InodeRow>(view, keys::inode(inode));
  if (row.ok() && *row) (**row).attributes.inode = inode;
  return row;
}

namespace {

Status complete_chunk(const StoreView& view, ChunkId chunk, ChunkRow& row) {
  row.info.chunk = chunk;
  row.info.sealed = row.state != ChunkState::open;
  ASSIGN(row.info.incarnation, queries::incarnation(view));
  return {};
}

}  // namespace

Result<std::optional<ChunkRow>> find_chunk(const StoreView& view, ChunkId chunk) {
  auto row = find_row<ChunkRow>(view, keys::chunk(chunk));
  if (row.ok() && *row) TRY(complete_chunk(view, chunk, **row));
  return row;
}

Result<ChunkRow> decode_chunk(const StoreView& view, std::string_view key, std::string_view value) {
  keys::Reader reader(Table::chunk, key);
  const ChunkId chunk{reader.number()};
  TRY(reader.finish());
  ASSIGN(ChunkRow row, decode_row<ChunkRow>(value));
  TRY(complete_chunk(view, chunk, row));
  return row;
}

Result<Extent> decode_extent(std::string_view key, std::string_view value) {
  keys::Reader reader(Table::extent, key);
  reader.number();  // the map
  const uint64_t end = reader.number();
  TRY(reader.finish());
  ASSIGN(ExtentRow row, decode_row<ExtentRow>(value));
  row.extent.offset = end - row.extent.length;
  if (row.extent.length > end || !valid(row.extent)) {
    return Error{Errc::corrupt, "metadata: an extent is damaged, key " + printable(key)};
  }
  return row.extent;
}

bool is_directory(const InodeRow& inode) { return S_ISDIR(inode.attributes.mode); }
bool is_regular(const InodeRow& inode) { return S_ISREG(inode.attributes.mode); }
bool is_symlink(const InodeRow& inode) { return S_ISLNK(inode.attributes.mode); }

}  // namespace cairn
