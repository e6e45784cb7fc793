#include "common/rpc/wire.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/rpc/wire_checks.h"

namespace cairn {

using namespace wire_checks;

// ---- single fields -------------------------------------------------------------------------------------------------

Status check_name(const std::string& name) {
  if (name.size() > kMaxNameBytes) {
    return Error{Errc::name_too_long, fmt::format("a name of {} bytes; at most {}", name.size(), kMaxNameBytes)};
  }
  if (name.empty() || name == "." || name == "..") return invalid("a name that is empty, . or ..");
  constexpr std::string_view kForbidden("/\0", 2);
  if (name.find_first_of(kForbidden) != std::string::npos) return invalid("a name with a slash or a zero byte");
  return {};
}

Status check_xattr_name(const std::string& name) {
  if (name.size() > kMaxNameBytes) {
    return Error{Errc::too_big, fmt::format("an attribute name of {} bytes; at most {}", name.size(), kMaxNameBytes)};
  }
  if (name.empty() || name.find('\0') != std::string::npos)
    return invalid("an attribute name that is empty or has a zero byte");
  return {};
}

Status check_range(int64_t offset, int64_t length) {
  if (offset < 0 || length < 0) return invalid("a negative offset or length");
  if (offset > INT64_MAX - length) return Error{Errc::too_big, "a range that ends beyond the largest file"};
  return {};
}

bool valid_tail(int64_t bytes) { return bytes > 0 && bytes <= kMaxTailBytes && bytes % kBlockBytes == 0; }

// ---- values --------------------------------------------------------------------------------------------------------

thrift::Error to_wire(const Error& error) {
  thrift::Error wire;
  wire.code = static_cast<int16_t>(error.code);
  wire.what = error.what;
  return wire;
}

Error from_wire(const thrift::Error& error) {
  constexpr int16_t kFirst = static_cast<int16_t>(Errc::not_found);
  constexpr int16_t kLast = static_cast<int16_t>(Errc::interrupted);
  if (error.code < kFirst || error.code > kLast) {
    return {Errc::io, fmt::format("{} (code {}, unknown here)", error.what, error.code)};
  }
  return {static_cast<Errc>(error.code), error.what};
}

thrift::Mutation to_wire(const Mutation& mutation) {
  thrift::Mutation wire;
  wire.session = to_wire_id(mutation.session);
  wire.request = to_wire_id(mutation.request);
  wire.lowest_unanswered = to_wire_id(mutation.lowest_unanswered);
  return wire;
}

Result<Mutation> from_wire(const thrift::Mutation& mutation) {
  if (mutation.request < 1 || mutation.lowest_unanswered < 1 || mutation.lowest_unanswered > mutation.request) {
    return invalid(fmt::format("request {} with lowest unanswered {}", mutation.request, mutation.lowest_unanswered));
  }
  return Mutation{from_wire_id<SessionId>(mutation.session), from_wire_id<RequestId>(mutation.request),
                  from_wire_id<RequestId>(mutation.lowest_unanswered)};
}

thrift::Address to_wire(const Address& address) {
  thrift::Address wire;
  wire.host = address.host;
  wire.port = address.port;
  return wire;
}

Result<Address> from_wire(const thrift::Address& address) {
  if (address.port < 0 || address.port > UINT16_MAX) return invalid(fmt::format("port {}", address.port));
  TRY(check_text("host", address.host, kMaxLabelBytes));
  return Address{address.host, static_cast<uint16_t>(address.port)};
}

thrift::Code to_wire(const Code& code) {
  thrift::Code wire;
  wire.d = code.d;
  wire.m = code.m;
  return wire;
}

Result<Code> from_wire(const thrift::Code& code) {
  if (code.d < 1 || code.d > static_cast<int16_t>(kMaxDataShards) || code.m < 0 ||
      code.m > static_cast<int16_t>(kMaxParityShards)) {
    return invalid(fmt::format("code ({},{})", code.d, code.m));
  }
  return Code{static_cast<uint8_t>(code.d), static_cast<uint8_t>(code.m)};
}

thrift::Time to_wire(const Time& time) {
  thrift::Time wire;
  wire.seconds = time.seconds;
  wire.nanoseconds = static_cast<int32_t>(time.nanoseconds);
  return wire;
}

Result<Time> from_wire(const thrift::Time& time) {
  if (time.nanoseconds < 0 || time.nanoseconds > 999'999'999) {
    return invalid(fmt::format("a time with {} nanoseconds", time.nanoseconds));
  }
  return Time{time.seconds, static_cast<uint32_t>(time.nanoseconds)};
}

thrift::Attributes to_wire(const Attributes& attributes) {
  thrift::Attributes wire;
  wire.inode = to_wire_id(attributes.inode);
  wire.version = static_cast<int64_t>(attributes.version);
  wire.mode = static_cast<int32_t>(attributes.mode);
  wire.links = static_cast<int32_t>(attributes.links);
  wire.uid = static_cast<int32_t>(attributes.uid);
  wire.gid = static_cast<int32_t>(attributes.gid);
  wire.size = static_cast<int64_t>(attributes.size);
  wire.stored = static_cast<int64_t>(attributes.stored);
  wire.rdev = static_cast<int64_t>(attributes.rdev);
  wire.atime = to_wire(attributes.atime);
  wire.mtime = to_wire(attributes.mtime);
  wire.ctime = to_wire(attributes.ctime);
  wire.storage_class = static_cast<int32_t>(raw(attributes.storage_class));
  wire.generation = static_cast<int32_t>(attributes.generation);
  return wire;
}

// Inode 0 stands for one that is gone in a commit's answer; everywhere else it is refused by who knows better.
Result<Attributes> from_wire(const thrift::Attributes& attributes) {
  if (attributes.size < 0 || attributes.stored < 0) return invalid("attributes with a negative size");
  Attributes own;
  own.inode = from_wire_id<InodeId>(attributes.inode);
  own.version = static_cast<uint64_t>(attributes.version);
  own.mode = static_cast<uint32_t>(attributes.mode);
  own.links = static_cast<uint32_t>(attributes.links);
  own.uid = static_cast<uint32_t>(attributes.uid);
  own.gid = static_cast<uint32_t>(attributes.gid);
  own.size = static_cast<uint64_t>(attributes.size);
  own.stored = static_cast<uint64_t>(attributes.stored);
  own.rdev = static_cast<uint64_t>(attributes.rdev);
  ASSIGN(own.atime, from_wire(attributes.atime));
  ASSIGN(own.mtime, from_wire(attributes.mtime));
  ASSIGN(own.ctime, from_wire(attributes.ctime));
  own.storage_class = from_wire_id<ClassId>(attributes.storage_class);
  own.generation = static_cast<uint32_t>(attributes.generation);
  return own;
}

thrift::Entry to_wire(const Entry& entry) {
  thrift::Entry wire;
  wire.parent = to_wire_id(entry.parent);
  wire.name = entry.name;
  wire.attributes = to_wire(entry.attributes);
  wire.cookie = static_cast<int64_t>(entry.cookie);
  return wire;
}

Result<Entry> from_wire(const thrift::Entry& entry) {
  TRY(check_name(entry.name));
  TRY(check_inode(entry.parent));
  TRY(check_inode(entry.attributes.inode));
  Entry own;
  own.parent = from_wire_id<InodeId>(entry.parent);
  own.name = entry.name;
  ASSIGN(own.attributes, from_wire(entry.attributes));
  own.cookie = static_cast<uint64_t>(entry.cookie);
  return own;
}

thrift::Extent to_wire(const Extent& extent) {
  thrift::Extent wire;
  wire.offset = static_cast<int64_t>(extent.offset);
  wire.length = static_cast<int64_t>(extent.length);
  wire.chunk = to_wire_id(extent.chunk);
  wire.place = static_cast<int64_t>(extent.place);
  wire.position = static_cast<int64_t>(extent.position);
  wire.code = to_wire(extent.shape.code);
  wire.cell_bytes = static_cast<int32_t>(extent.shape.cell_bytes);
  wire.header_bytes = static_cast<int32_t>(extent.shape.header_bytes);
  wire.present = static_cast<int32_t>(extent.shape.present);
  return wire;
}

Result<Extent> from_wire(const thrift::Extent& extent) {
  TRY(check_range(extent.offset, extent.length));
  Extent own;
  own.offset = static_cast<uint64_t>(extent.offset);
  own.length = static_cast<uint64_t>(extent.length);
  own.chunk = from_wire_id<ChunkId>(extent.chunk);
  own.place = static_cast<uint64_t>(extent.place);
  own.position = static_cast<uint64_t>(extent.position);
  ASSIGN(own.shape.code, from_wire(extent.code));
  own.shape.cell_bytes = static_cast<uint32_t>(extent.cell_bytes);
  own.shape.header_bytes = static_cast<uint32_t>(extent.header_bytes);
  own.shape.present = static_cast<uint32_t>(extent.present);
  if (!valid(own)) {
    return invalid(fmt::format("an extent at {} of {} bytes in chunk {} with a senseless geometry", own.offset,
                               own.length, raw(own.chunk)));
  }
  return own;
}

thrift::Chunk to_wire(const ChunkInfo& chunk) {
  thrift::Chunk wire;
  wire.chunk = to_wire_id(chunk.chunk);
  wire.storage_class = static_cast<int32_t>(raw(chunk.storage_class));
  wire.code = to_wire(chunk.code);
  wire.servers.reserve(chunk.servers.size());
  for (const ServerId server : chunk.servers) wire.servers.push_back(static_cast<int32_t>(raw(server)));
  wire.sealed = chunk.sealed;
  wire.committed = static_cast<int64_t>(chunk.committed);
  wire.writer_epoch = to_wire_id(chunk.writer_epoch);
  wire.incarnation = to_wire_id(chunk.incarnation);
  wire.live_bytes = static_cast<int64_t>(chunk.live_bytes);
  wire.cell_bytes = static_cast<int32_t>(chunk.cell_bytes);
  wire.shard_limit = static_cast<int64_t>(chunk.shard_limit);
  return wire;
}

Result<ChunkInfo> from_wire(const thrift::Chunk& chunk) {
  TRY(check_chunk(chunk.chunk));
  TRY(check_place(chunk.committed));
  TRY(check_place(chunk.shard_limit));
  TRY(check_cell(chunk.cell_bytes));
  ChunkInfo own;
  own.chunk = from_wire_id<ChunkId>(chunk.chunk);
  own.storage_class = from_wire_id<ClassId>(chunk.storage_class);
  ASSIGN(own.code, from_wire(chunk.code));
  if (chunk.servers.size() != own.code.shards()) {
    return invalid(
        fmt::format("chunk {} has {} servers for {} shards", chunk.chunk, chunk.servers.size(), own.code.shards()));
  }
  own.servers.reserve(chunk.servers.size());
  for (const int32_t server : chunk.servers) own.servers.push_back(from_wire_id<ServerId>(server));
  own.sealed = chunk.sealed;
  own.committed = static_cast<uint64_t>(chunk.committed);
  own.writer_epoch = from_wire_id<Epoch>(chunk.writer_epoch);
  own.incarnation = from_wire_id<Incarnation>(chunk.incarnation);
  own.live_bytes = static_cast<uint64_t>(chunk.live_bytes);
  own.cell_bytes = static_cast<uint32_t>(chunk.cell_bytes);
  own.shard_limit = static_cast<uint64_t>(chunk.shard_limit);
  return own;
}

thrift::Server to_wire(const ServerInfo& server) {
  thrift::Server wire;
  wire.server = static_cast<int32_t>(raw(server.server));
  wire.address = to_wire(server.address);
  wire.uuid = server.uuid;
  wire.site = server.labels.site;
  wire.rack = server.labels.rack;
  wire.host = server.labels.host;
  wire.disk = server.labels.disk;
  wire.health = static_cast<int32_t>(server.health);
  wire.total_bytes = static_cast<int64_t>(server.total_bytes);
  wire.free_bytes = static_cast<int64_t>(server.free_bytes);
  wire.boot = to_wire_id(server.boot);
  wire.silent_ms = server.silent_ms;
  wire.state = static_cast<int32_t>(server.state);
  return wire;
}

Result<ServerInfo> from_wire(const thrift::Server& server) {
  if (server.health < 0 || server.health > static_cast<int32_t>(Health::draining)) {
    return invalid(fmt::format("health {}", server.health));
  }
  if (server.state < 0 || server.state >= kServerStates) return invalid(fmt::format("state {}", server.state));
  if (server.server == 0) return invalid("server 0");
  ServerInfo own;
  own.server = from_wire_id<ServerId>(server.server);
  ASSIGN(own.address, from_wire(server.address));
  TRY(check_text("uuid", server.uuid, kMaxLabelBytes));
  own.uuid = server.uuid;
  ASSIGN(own.labels, labels_from(server));
  own.health = static_cast<Health>(server.health);
  own.total_bytes = static_cast<uint64_t>(server.total_bytes);
  own.free_bytes = static_cast<uint64_t>(server.free_bytes);
  own.boot = from_wire_id<BootId>(server.boot);
  own.silent_ms = server.silent_ms;
  own.state = static_cast<ServerState>(server.state);
  return own;
}

thrift::StorageClass to_wire(const StorageClass& storage_class) {
  thrift::StorageClass wire;
  wire.id = static_cast<int32_t>(raw(storage_class.id));
  wire.name = storage_class.name;
  wire.policy = to_wire(storage_class.policy);
  wire.cell_bytes = static_cast<int32_t>(storage_class.cell_bytes);
  wire.failure_domain = storage_class.failure_domain;
  return wire;
}

Result<StorageClass> from_wire(const thrift::StorageClass& storage_class) {
  TRY(check_cell(storage_class.cell_bytes));
  TRY(check_text("class name", storage_class.name, kMaxLabelBytes));
  constexpr std::string_view kDomains[] = {"site", "rack", "host", "disk"};
  if (std::ranges::find(kDomains, storage_class.failure_domain) == std::end(kDomains)) {
    return invalid("a failure domain that is not site, rack, host or disk");
  }
  StorageClass own;
  own.id = from_wire_id<ClassId>(storage_class.id);
  own.name = storage_class.name;
  ASSIGN(own.policy, from_wire(storage_class.policy));
  own.cell_bytes = static_cast<uint32_t>(storage_class.cell_bytes);
  own.failure_domain = storage_class.failure_domain;
  return own;
}

thrift::Lease to_wire(const Lease& lease) {
  thrift::Lease wire;
  wire.inode = to_wire_id(lease.inode);
  wire.kind = static_cast<int32_t>(lease.kind);
  wire.generation = static_cast<int64_t>(lease.generation);
  return wire;
}

Result<Lease> from_wire(const thrift::Lease& lease) {
  if (lease.kind < static_cast<int32_t>(LeaseKind::read) || lease.kind > static_cast<int32_t>(LeaseKind::exclusive)) {
    return invalid(fmt::format("lease kind {}", lease.kind));
  }
  return Lease{from_wire_id<InodeId>(lease.inode), static_cast<LeaseKind>(lease.kind),
               static_cast<uint64_t>(lease.generation)};
}

thrift::Event to_wire(const Event& event) {
  thrift::Event wire;
  wire.sequence = static_cast<int64_t>(event.sequence);
  wire.type = static_cast<int32_t>(event.type);
  if (event.lease) wire.__set_lease(to_wire(*event.lease));
  if (event.lock) wire.__set_lock(to_wire(*event.lock));
  return wire;
}

Result<Event> from_wire(const thrift::Event& event) {
  if (event.type < static_cast<int32_t>(EventType::recall) ||
      event.type > static_cast<int32_t>(EventType::lock_ended)) {
    return invalid(fmt::format("event type {}", event.type));
  }
  Event own;
  own.sequence = static_cast<uint64_t>(event.sequence);
  own.type = static_cast<EventType>(event.type);
  if (event.__isset.lease) {
    ASSIGN(own.lease, from_wire(event.lease));
  } else if (own.type == EventType::recall || own.type == EventType::revoked) {
    return invalid("a recall or revocation without its lease");
  }
  if (event.__isset.lock) {
    ASSIGN(own.lock, from_wire(event.lock));
  } else if (own.type == EventType::lock_ended) {
    return invalid("an event about locks that does not say which");
  }
  return own;
}

thrift::SessionStatus to_wire(const SessionStatus& session) {
  thrift::SessionStatus wire;
  wire.session = to_wire_id(session.session);
  wire.name = session.name;
  wire.host = session.host;
  wire.pid = session.pid;
  wire.mount = session.mount;
  wire.expires_in_ms = session.expires_in_ms;
  wire.open_chunks = static_cast<int32_t>(session.open_chunks);
  return wire;
}

Result<SessionStatus> from_wire(const thrift::SessionStatus& session) {
  SessionStatus own;
  own.session = from_wire_id<SessionId>(session.session);
  own.name = session.name;
  own.host = session.host;
  own.pid = session.pid;
  own.mount = session.mount;
  own.expires_in_ms = session.expires_in_ms;
  own.open_chunks = static_cast<uint32_t>(session.open_chunks);
  return own;
}

thrift::FileCommit to_wire(const FileCommit& commit) {
  thrift::FileCommit wire;
  wire.inode = to_wire_id(commit.inode);
  wire.extents = to_wire(commit.extents);
  wire.size_at_least = static_cast<int64_t>(commit.size_at_least);
  wire.mtime = to_wire(commit.mtime);
  if (commit.inline_data) wire.__set_inline_data(*commit.inline_data);
  return wire;
}

Result<FileCommit> from_wire(const thrift::FileCommit& commit) {
  TRY(check_inode(commit.inode));
  if (commit.size_at_least < 0) return invalid("a commit with a negative size");
  FileCommit own;
  own.inode = from_wire_id<InodeId>(commit.inode);
  ASSIGN(own.extents, from_wire(commit.extents));
  own.size_at_least = static_cast<uint64_t>(commit.size_at_least);
  ASSIGN(own.mtime, from_wire(commit.mtime));
  if (commit.__isset.inline_data) {
    if (!own.extents.empty()) return invalid("a commit with both extents and inline data");
    if (commit.inline_data.size() > kMaxInlineBytes) {
      return Error{Errc::too_big,
                   fmt::format("{} bytes inline; at most {}", commit.inline_data.size(), kMaxInlineBytes)};
    }
    own.inline_data = commit.inline_data;
  }
  return own;
}

thrift::ChunkCommit to_wire(const ChunkCommit& commit) {
  thrift::ChunkCommit wire;
  wire.chunk = to_wire_id(commit.chunk);
  wire.writer_epoch = to_wire_id(commit.writer_epoch);
  wire.committed_from = static_cast<int64_t>(commit.committed_from);
  wire.committed_to = static_cast<int64_t>(commit.committed_to);
  return wire;
}

Result<ChunkCommit> from_wire(const thrift::ChunkCommit& commit) {
  TRY(check_chunk(commit.chunk));
  TRY(check_place(commit.committed_from));
  TRY(check_place(commit.committed_to));
  if (commit.committed_from > commit.committed_to) return invalid("a chunk's commit that goes backwards");
  return ChunkCommit{from_wire_id<ChunkId>(commit.chunk), from_wire_id<Epoch>(commit.writer_epoch),
                     static_cast<uint64_t>(commit.committed_from), static_cast<uint64_t>(commit.committed_to)};
}

thrift::ShardInfo to_wire(const ShardSummary& shard) {
  thrift::ShardInfo wire;
  wire.chunk = to_wire_id(shard.chunk);
  wire.shard = shard.shard;
  wire.shard_end = static_cast<int64_t>(shard.end);
  wire.sealed = shard.sealed;
  wire.committed = static_cast<int64_t>(shard.committed);
  wire.allocated = static_cast<int64_t>(shard.allocated);
  wire.failed = shard.failed;
  return wire;
}

Result<ShardSummary> from_wire(const thrift::ShardInfo& shard) {
  TRY(check_chunk(shard.chunk));
  TRY(check_shard(shard.shard));
  if (shard.shard_end < 0 || shard.committed < 0 || shard.allocated < 0) return invalid("a shard with a negative size");
  return ShardSummary{from_wire_id<ChunkId>(shard.chunk),
                      static_cast<uint8_t>(shard.shard),
                      static_cast<uint64_t>(shard.shard_end),
                      shard.sealed,
                      static_cast<uint64_t>(shard.committed),
                      static_cast<uint64_t>(shard.allocated),
                      shard.failed};
}

}  // namespace cairn
