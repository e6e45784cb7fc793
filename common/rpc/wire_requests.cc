#include <fmt/format.h>

#include "common/rpc/wire.h"
#include "common/rpc/wire_checks.h"

namespace cairn {

using namespace wire_checks;

namespace {

constexpr uint32_t kMaxModeBits = 0177777;  // type and permissions
constexpr uint32_t kRenameFlags = 1 | 2;    // noreplace, exchange
constexpr uint32_t kXattrFlags = 1 | 2;     // create, replace
constexpr int32_t kMaxGrantedChunks = 64;   // one writer keeps a few open ones

Status check_mode(int32_t mode) {
  if (mode < 0 || mode > static_cast<int32_t>(kMaxModeBits)) return invalid(fmt::format("mode {}", mode));
  return {};
}

// One of several; none of them is an error too.
Status check_flags(int32_t flags, uint32_t known) {
  const auto bits = static_cast<uint32_t>(flags);
  if ((bits & ~known) != 0 || bits == known) return invalid(fmt::format("flags {:#x}", bits));
  return {};
}

template <typename Id>
std::vector<int64_t> ids_to_wire(const std::vector<Id>& ids) {
  std::vector<int64_t> list;
  list.reserve(ids.size());
  for (const Id id : ids) list.push_back(to_wire_id(id));
  return list;
}

template <typename Id>
std::vector<Id> ids_from_wire(const std::vector<int64_t>& list) {
  std::vector<Id> ids;
  ids.reserve(list.size());
  for (const int64_t value : list) ids.push_back(from_wire_id<Id>(value));
  return ids;
}

template <typename Generated>
ShardRef shard_of(const Generated& request) {
  return ShardRef{from_wire_id<ServerId>(request.server), from_wire_id<Incarnation>(request.incarnation),
                  from_wire_id<ChunkId>(request.chunk), static_cast<uint8_t>(request.shard)};
}

template <typename Generated>
Status check_shard_of(const Generated& request) {
  TRY(check_chunk(request.chunk));
  return check_shard(request.shard);
}

template <typename Generated>
void put_shard(Generated& request, const ShardRef& shard) {
  request.incarnation = to_wire_id(shard.incarnation);
  request.chunk = to_wire_id(shard.chunk);
  request.shard = shard.shard;
  request.server = static_cast<int32_t>(raw(shard.server));
}

}  // namespace

// ---- to the metaserver ---------------------------------------------------------------------------------------------

thrift::OpenSessionRequest to_wire(const SessionRequest& request) {
  thrift::OpenSessionRequest wire;
  wire.name = request.name;
  wire.host = request.host;
  wire.pid = request.pid;
  wire.mount = request.mount;
  wire.nonce = static_cast<int64_t>(request.nonce);
  return wire;
}

Result<SessionRequest> from_wire(const thrift::OpenSessionRequest& request) {
  TRY(check_text("session name", request.name, kMaxDescriptionBytes));
  TRY(check_text("host", request.host, kMaxLabelBytes));
  return SessionRequest{request.name, request.host, request.pid, request.mount, static_cast<uint64_t>(request.nonce)};
}

thrift::HeartbeatRequest to_wire(const Heartbeat& heartbeat) {
  thrift::HeartbeatRequest wire;
  wire.uuid = heartbeat.uuid;
  wire.address = to_wire(heartbeat.address);
  wire.boot = to_wire_id(heartbeat.boot);
  wire.site = heartbeat.labels.site;
  wire.rack = heartbeat.labels.rack;
  wire.host = heartbeat.labels.host;
  wire.disk = heartbeat.labels.disk;
  wire.total_bytes = static_cast<int64_t>(heartbeat.total_bytes);
  wire.free_bytes = static_cast<int64_t>(heartbeat.free_bytes);
  wire.incarnation = to_wire_id(heartbeat.incarnation);
  wire.shards = static_cast<int64_t>(heartbeat.shards);
  wire.bad_records = static_cast<int64_t>(heartbeat.bad_records);
  return wire;
}

Result<Heartbeat> from_wire(const thrift::HeartbeatRequest& request) {
  if (request.uuid.empty()) return invalid("a heartbeat without uuid");
  TRY(check_text("uuid", request.uuid, kMaxLabelBytes));
  Heartbeat own;
  own.uuid = request.uuid;
  ASSIGN(own.address, from_wire(request.address));
  if (own.address.host.empty() || own.address.port == 0)
    return invalid("a heartbeat without an address to be reached at");
  own.boot = from_wire_id<BootId>(request.boot);
  ASSIGN(own.labels, labels_from(request));
  own.total_bytes = static_cast<uint64_t>(request.total_bytes);
  own.free_bytes = static_cast<uint64_t>(request.free_bytes);
  own.incarnation = from_wire_id<Incarnation>(request.incarnation);
  own.shards = static_cast<uint64_t>(request.shards);
  own.bad_records = static_cast<uint64_t>(request.bad_records);
  return own;
}

thrift::MakeNodeRequest to_wire(const MakeNode& request, const Mutation& mutation) {
  thrift::MakeNodeRequest wire;
  wire.mutation = to_wire(mutation);
  wire.parent = to_wire_id(request.parent);
  wire.name = request.name;
  wire.mode = static_cast<int32_t>(request.mode);
  wire.uid = static_cast<int32_t>(request.uid);
  wire.gid = static_cast<int32_t>(request.gid);
  wire.rdev = static_cast<int64_t>(request.rdev);
  wire.target = request.target;
  return wire;
}

Result<MakeNode> from_wire(const thrift::MakeNodeRequest& request) {
  TRY(check_inode(request.parent));
  TRY(check_name(request.name));
  TRY(check_mode(request.mode));
  if (request.target.size() > kMaxTargetBytes) {
    return Error{Errc::name_too_long,
                 fmt::format("a symlink's target of {} bytes; at most {}", request.target.size(), kMaxTargetBytes)};
  }
  if (request.target.find('\0') != std::string::npos) return invalid("a symlink's target with a zero byte");
  return MakeNode{from_wire_id<InodeId>(request.parent),
                  request.name,
                  static_cast<uint32_t>(request.mode),
                  static_cast<uint32_t>(request.uid),
                  static_cast<uint32_t>(request.gid),
                  static_cast<uint64_t>(request.rdev),
                  request.target};
}

thrift::MakeAnonymousRequest to_wire(const MakeAnonymous& request, const Mutation& mutation) {
  thrift::MakeAnonymousRequest wire;
  wire.mutation = to_wire(mutation);
  wire.like = to_wire_id(request.like);
  wire.policy = request.policy;
  return wire;
}

Result<MakeAnonymous> from_wire(const thrift::MakeAnonymousRequest& request) {
  TRY(check_inode(request.like));
  TRY(check_text("policy", request.policy, kMaxLabelBytes));
  return MakeAnonymous{from_wire_id<InodeId>(request.like), request.policy};
}

thrift::LinkRequest to_wire(const LinkNode& request, const Mutation& mutation) {
  thrift::LinkRequest wire;
  wire.mutation = to_wire(mutation);
  wire.inode = to_wire_id(request.inode);
  wire.parent = to_wire_id(request.parent);
  wire.name = request.name;
  return wire;
}

Result<LinkNode> from_wire(const thrift::LinkRequest& request) {
  TRY(check_inode(request.inode));
  TRY(check_inode(request.parent));
  TRY(check_name(request.name));
  return LinkNode{from_wire_id<InodeId>(request.inode), from_wire_id<InodeId>(request.parent), request.name};
}

thrift::RemoveRequest to_wire(const RemoveName& request, const Mutation& mutation) {
  thrift::RemoveRequest wire;
  wire.mutation = to_wire(mutation);
  wire.parent = to_wire_id(request.parent);
  wire.name = request.name;
  wire.directory = request.directory;
  return wire;
}

Result<RemoveName> from_wire(const thrift::RemoveRequest& request) {
  TRY(check_inode(request.parent));
  TRY(check_name(request.name));
  return RemoveName{from_wire_id<InodeId>(request.parent), request.name, request.directory};
}

thrift::RenameRequest to_wire(const Rename& request, const Mutation& mutation) {
  thrift::RenameRequest wire;
  wire.mutation = to_wire(mutation);
  wire.old_parent = to_wire_id(request.old_parent);
  wire.old_name = request.old_name;
  wire.new_parent = to_wire_id(request.new_parent);
  wire.new_name = request.new_name;
  wire.flags = static_cast<int32_t>(request.flags);
  return wire;
}

Result<Rename> from_wire(const thrift::RenameRequest& request) {
  TRY(check_inode(request.old_parent));
  TRY(check_name(request.old_name));
  TRY(check_inode(request.new_parent));
  TRY(check_name(request.new_name));
  TRY(check_flags(request.flags, kRenameFlags));
  return Rename{from_wire_id<InodeId>(request.old_parent), request.old_name, from_wire_id<InodeId>(request.new_parent),
                request.new_name, static_cast<uint32_t>(request.flags)};
}

thrift::SetAttributesRequest to_wire(const SetAttributes& request, const Mutation& mutation) {
  thrift::SetAttributesRequest wire;
  wire.mutation = to_wire(mutation);
  wire.inode = to_wire_id(request.inode);
  if (request.mode) wire.__set_mode(static_cast<int32_t>(*request.mode));
  if (request.uid) wire.__set_uid(static_cast<int32_t>(*request.uid));
  if (request.gid) wire.__set_gid(static_cast<int32_t>(*request.gid));
  if (request.size) wire.__set_size(static_cast<int64_t>(*request.size));
  if (request.atime) wire.__set_atime(to_wire(*request.atime));
  if (request.mtime) wire.__set_mtime(to_wire(*request.mtime));
  if (request.ctime) wire.__set_ctime(to_wire(*request.ctime));
  return wire;
}

Result<SetAttributes> from_wire(const thrift::SetAttributesRequest& request) {
  TRY(check_inode(request.inode));
  SetAttributes own;
  own.inode = from_wire_id<InodeId>(request.inode);
  if (request.__isset.mode) {
    TRY(check_mode(request.mode));
    own.mode = static_cast<uint32_t>(request.mode);
  }
  if (request.__isset.uid) own.uid = static_cast<uint32_t>(request.uid);
  if (request.__isset.gid) own.gid = static_cast<uint32_t>(request.gid);
  if (request.__isset.size) {
    TRY(check_range(request.size, 0));
    own.size = static_cast<uint64_t>(request.size);
  }
  if (request.__isset.atime) {
    ASSIGN(own.atime, from_wire(request.atime));
  }
  if (request.__isset.mtime) {
    ASSIGN(own.mtime, from_wire(request.mtime));
  }
  if (request.__isset.ctime) {
    ASSIGN(own.ctime, from_wire(request.ctime));
  }
  return own;
}

thrift::SetXattrRequest to_wire(const SetXattr& request, const Mutation& mutation) {
  thrift::SetXattrRequest wire;
  wire.mutation = to_wire(mutation);
  wire.inode = to_wire_id(request.inode);
  wire.name = request.name;
  wire.value = request.value;
  wire.flags = static_cast<int32_t>(request.flags);
  return wire;
}

Result<SetXattr> from_wire(const thrift::SetXattrRequest& request) {
  TRY(check_inode(request.inode));
  TRY(check_xattr_name(request.name));
  TRY(check_flags(request.flags, kXattrFlags));
  if (request.value.size() > kMaxXattrBytes) {
    return Error{Errc::too_big,
                 fmt::format("an attribute of {} bytes; at most {}", request.value.size(), kMaxXattrBytes)};
  }
  return SetXattr{from_wire_id<InodeId>(request.inode), request.name, request.value,
                  static_cast<uint32_t>(request.flags)};
}

thrift::RemoveXattrRequest to_wire(const RemoveXattr& request, const Mutation& mutation) {
  thrift::RemoveXattrRequest wire;
  wire.mutation = to_wire(mutation);
  wire.inode = to_wire_id(request.inode);
  wire.name = request.name;
  return wire;
}

Result<RemoveXattr> from_wire(const thrift::RemoveXattrRequest& request) {
  TRY(check_inode(request.inode));
  TRY(check_xattr_name(request.name));
  return RemoveXattr{from_wire_id<InodeId>(request.inode), request.name};
}

thrift::TrimRangeRequest to_wire(const TrimRange& request, const Mutation& mutation) {
  thrift::TrimRangeRequest wire;
  wire.mutation = to_wire(mutation);
  wire.inode = to_wire_id(request.inode);
  wire.offset = static_cast<int64_t>(request.offset);
  wire.length = static_cast<int64_t>(request.length);
  wire.mtime = to_wire(request.mtime);
  return wire;
}

Result<TrimRange> from_wire(const thrift::TrimRangeRequest& request) {
  TRY(check_inode(request.inode));
  TRY(check_range(request.offset, request.length));
  TrimRange own{from_wire_id<InodeId>(request.inode),
                static_cast<uint64_t>(request.offset),
                static_cast<uint64_t>(request.length),
                {}};
  ASSIGN(own.mtime, from_wire(request.mtime));
  return own;
}

thrift::ForgetOrphansRequest to_wire(const ForgetOrphans& request, const Mutation& mutation) {
  thrift::ForgetOrphansRequest wire;
  wire.mutation = to_wire(mutation);
  wire.inodes = ids_to_wire(request.inodes);
  return wire;
}

Result<ForgetOrphans> from_wire(const thrift::ForgetOrphansRequest& request) {
  return ForgetOrphans{ids_from_wire<InodeId>(request.inodes)};
}

thrift::CommitRequest to_wire(const Commit& request, const Mutation& mutation) {
  thrift::CommitRequest wire;
  wire.mutation = to_wire(mutation);
  wire.files = to_wire(request.files);
  wire.chunks = to_wire(request.chunks);
  return wire;
}

Result<Commit> from_wire(const thrift::CommitRequest& request) {
  Commit own;
  ASSIGN(own.files, from_wire(request.files));
  ASSIGN(own.chunks, from_wire(request.chunks));
  return own;
}

thrift::GrantRequest to_wire(const GrantChunks& request, const Mutation& mutation) {
  thrift::GrantRequest wire;
  wire.mutation = to_wire(mutation);
  wire.storage_class = static_cast<int32_t>(raw(request.storage_class));
  wire.count = static_cast<int32_t>(request.count);
  wire.avoid.reserve(request.avoid.size());
  for (const ServerId server : request.avoid) wire.avoid.push_back(static_cast<int32_t>(raw(server)));
  return wire;
}

Result<GrantChunks> from_wire(const thrift::GrantRequest& request) {
  if (request.count < 1 || request.count > kMaxGrantedChunks)
    return invalid(fmt::format("{} chunks at once", request.count));
  GrantChunks own{from_wire_id<ClassId>(request.storage_class), static_cast<uint32_t>(request.count), {}};
  own.avoid.reserve(request.avoid.size());
  for (const int32_t server : request.avoid) own.avoid.push_back(from_wire_id<ServerId>(server));
  return own;
}

thrift::SealRequest to_wire(const SealChunks& request, const Mutation& mutation) {
  thrift::SealRequest wire;
  wire.mutation = to_wire(mutation);
  wire.chunks = ids_to_wire(request.chunks);
  return wire;
}

Result<SealChunks> from_wire(const thrift::SealRequest& request) {
  return SealChunks{ids_from_wire<ChunkId>(request.chunks)};
}

// ---- to a chunkserver ----------------------------------------------------------------------------------------------

thrift::AppendRequest to_wire(const AppendCall& call, uint32_t tail_bytes) {
  thrift::AppendRequest wire;
  put_shard(wire, call.shard);
  wire.place = static_cast<int64_t>(call.place);
  wire.writer_epoch = to_wire_id(call.writer_epoch);
  wire.tail_bytes = static_cast<int32_t>(tail_bytes);
  wire.sync = call.sync;
  return wire;
}

Result<AppendCall> from_wire(const thrift::AppendRequest& request) {
  TRY(check_shard_of(request));
  TRY(check_place(request.place));
  return AppendCall{shard_of(request), static_cast<uint64_t>(request.place), from_wire_id<Epoch>(request.writer_epoch),
                    request.sync};
}

thrift::SyncRequest to_wire(const SyncCall& call) {
  thrift::SyncRequest wire;
  put_shard(wire, call.shard);
  wire.boot = to_wire_id(call.boot);
  wire.shard_end = static_cast<int64_t>(call.end);
  return wire;
}

Result<SyncCall> from_wire(const thrift::SyncRequest& request) {
  TRY(check_shard_of(request));
  if (request.shard_end < 0) return invalid("a sync up to a negative end");
  return SyncCall{shard_of(request), from_wire_id<BootId>(request.boot), static_cast<uint64_t>(request.shard_end)};
}

thrift::ReadRequest to_wire(const ReadCall& call) {
  thrift::ReadRequest wire;
  put_shard(wire, call.shard);
  wire.place = static_cast<int64_t>(call.place);
  wire.header_bytes = static_cast<int32_t>(call.header_bytes);
  wire.cell_offset = static_cast<int32_t>(call.cell_offset);
  wire.cell_bytes = static_cast<int32_t>(call.cell_bytes);
  return wire;
}

Result<ReadCall> from_wire(const thrift::ReadRequest& request) {
  TRY(check_shard_of(request));
  TRY(check_place(request.place));
  const auto aligned_below = [](int32_t value, uint32_t limit) {
    return value >= 0 && static_cast<uint32_t>(value) <= limit && static_cast<uint32_t>(value) % kBlockBytes == 0;
  };
  // A caller that knows the header may count its offset from the place.
  constexpr uint32_t kMaxRecordBytes = kMaxHeaderBytes + kMaxCellBytes;
  if (!aligned_below(request.header_bytes, kMaxHeaderBytes) || !aligned_below(request.cell_offset, kMaxRecordBytes) ||
      !aligned_below(request.cell_bytes, kMaxCellBytes) ||
      request.cell_offset + request.cell_bytes > static_cast<int32_t>(kMaxRecordBytes) ||
      request.header_bytes + request.cell_bytes == 0) {
    return invalid(fmt::format("a read of {} header bytes and {} bytes at {} of the cell", request.header_bytes,
                               request.cell_bytes, request.cell_offset));
  }
  return ReadCall{shard_of(request), static_cast<uint64_t>(request.place), static_cast<uint32_t>(request.header_bytes),
                  static_cast<uint32_t>(request.cell_offset), static_cast<uint32_t>(request.cell_bytes)};
}

thrift::SealShardRequest to_wire(const SealShard& request) {
  thrift::SealShardRequest wire;
  put_shard(wire, request.shard);
  wire.committed = static_cast<int64_t>(request.committed);
  wire.fence = to_wire_id(request.fence);
  return wire;
}

Result<SealShard> from_wire(const thrift::SealShardRequest& request) {
  TRY(check_shard_of(request));
  TRY(check_place(request.committed));
  return SealShard{shard_of(request), static_cast<uint64_t>(request.committed), from_wire_id<Epoch>(request.fence)};
}

thrift::PunchRequest to_wire(const PunchShard& request) {
  thrift::PunchRequest wire;
  put_shard(wire, request.shard);
  wire.place = static_cast<int64_t>(request.place);
  wire.length = static_cast<int64_t>(request.length);
  return wire;
}

Result<PunchShard> from_wire(const thrift::PunchRequest& request) {
  TRY(check_shard_of(request));
  TRY(check_place(request.place));
  TRY(check_place(request.length));
  if (request.length == 0) return invalid("a punch of nothing");
  return PunchShard{shard_of(request), static_cast<uint64_t>(request.place), static_cast<uint64_t>(request.length)};
}

thrift::RemoveShardRequest to_wire(const ShardRef& shard) {
  thrift::RemoveShardRequest wire;
  put_shard(wire, shard);
  return wire;
}

Result<ShardRef> from_wire(const thrift::RemoveShardRequest& request) {
  TRY(check_shard_of(request));
  return shard_of(request);
}

thrift::ListShardsRequest to_wire(const ListShards& request) {
  thrift::ListShardsRequest wire;
  wire.incarnation = to_wire_id(request.incarnation);
  wire.after_chunk = to_wire_id(request.after);
  wire.limit = static_cast<int32_t>(request.limit);
  wire.server = static_cast<int32_t>(raw(request.server));
  return wire;
}

Result<ListShards> from_wire(const thrift::ListShardsRequest& request) {
  if (request.limit < 1) return invalid(fmt::format("a page of {} shards", request.limit));
  return ListShards{from_wire_id<Incarnation>(request.incarnation), from_wire_id<ChunkId>(request.after_chunk),
                    static_cast<uint32_t>(request.limit), from_wire_id<ServerId>(request.server)};
}

thrift::RebuildRequest to_wire(const RebuildShard& request) {
  thrift::RebuildRequest wire;
  put_shard(wire, request.shard);
  wire.attempt = static_cast<int64_t>(request.attempt);
  wire.code = to_wire(request.code);
  for (const ServerId server : request.servers) wire.servers.push_back(static_cast<int32_t>(raw(server)));
  wire.lost = static_cast<int64_t>(request.lost);
  wire.copy = request.copy;
  wire.committed = static_cast<int64_t>(request.committed);
  wire.done_until = static_cast<int64_t>(request.from);
  for (const StripeAt& stripe : request.stripes) {
    thrift::Stripe& one = wire.stripes.emplace_back();
    one.place = static_cast<int64_t>(stripe.place);
    one.cell_bytes = static_cast<int32_t>(stripe.shape.cell_bytes);
    one.header_bytes = static_cast<int32_t>(stripe.shape.header_bytes);
    one.present = static_cast<int32_t>(stripe.shape.present);
    one.dead = stripe.dead;
  }
  wire.last = request.last;
  wire.at_most_ms =
      static_cast<int32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(request.at_most).count());
  return wire;
}

Result<RebuildShard> from_wire(const thrift::RebuildRequest& request) {
  TRY(check_shard_of(request));
  TRY(check_place(request.committed));
  TRY(check_size("a list of stripes", request.stripes.size(), kMaxRebuildStripes));
  TRY(check_between("a time in milliseconds", request.at_most_ms, 0, 60'000));
  RebuildShard own{.shard = shard_of(request), .attempt = static_cast<uint64_t>(request.attempt)};
  ASSIGN(own.code, from_wire(request.code));
  if (request.servers.size() != own.code.shards() || own.shard.shard >= own.code.shards())
    return invalid(fmt::format("shard {} of a chunk on {} servers", own.shard.shard, request.servers.size()));
  for (const int32_t server : request.servers) own.servers.push_back(from_wire_id<ServerId>(server));
  own.lost = static_cast<uint64_t>(request.lost);
  own.copy = request.copy;
  own.committed = static_cast<uint64_t>(request.committed);
  TRY(check_place(request.done_until));
  own.from = static_cast<uint64_t>(request.done_until);
  uint64_t end = own.from;
  for (const thrift::Stripe& one : request.stripes) {
    TRY(check_place(one.place));
    StripeAt stripe{static_cast<uint64_t>(one.place),
                    {own.code, static_cast<uint32_t>(one.cell_bytes), static_cast<uint32_t>(one.header_bytes),
                     static_cast<uint32_t>(one.present)},
                    one.dead};
    if (!valid(stripe.shape) || stripe.place < end || stripe.place + stripe.shape.stride() > own.committed)
      return invalid(fmt::format("a stripe at place {}", stripe.place));
    end = stripe.place + stripe.shape.stride();
    own.stripes.push_back(stripe);
  }
  own.last = request.last;
  own.at_most = std::chrono::milliseconds(request.at_most_ms);
  return own;
}

}  // namespace cairn
