#include <fmt/format.h>

#include "common/rpc/wire.h"
#include "common/rpc/wire_checks.h"

namespace cairn {

using namespace wire_checks;

namespace {

Duration milliseconds(int64_t ms) { return Duration(std::chrono::milliseconds(ms)); }
int64_t in_milliseconds(Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

Status check_period(int64_t ms) {
  constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;
  if (ms <= 0 || ms > kDayMs) return invalid(fmt::format("a period of {} ms", ms));
  return {};
}

}  // namespace

// ---- sessions ------------------------------------------------------------------------------------------------------

void fill_reply(thrift::OpenSessionReply& reply, const SessionGrant& grant) {
  reply.__set_session(to_wire_id(grant.session));
  reply.__set_ttl_ms(in_milliseconds(grant.ttl));
  reply.__set_incarnation(to_wire_id(grant.incarnation));
  reply.__set_sole(grant.sole);
  reply.__set_run(static_cast<int64_t>(grant.run));
}
Result<SessionGrant> from_wire(const thrift::OpenSessionReply& reply) {
  return unpack(reply, reply.__isset.session && reply.__isset.ttl_ms, [&]() -> Result<SessionGrant> {
    if (reply.session == 0) return invalid("session 0");
    TRY(check_period(reply.ttl_ms));
    return SessionGrant{from_wire_id<SessionId>(reply.session), milliseconds(reply.ttl_ms),
                        from_wire_id<Incarnation>(reply.incarnation), reply.sole, static_cast<uint64_t>(reply.run)};
  });
}

void fill_reply(thrift::RenewReply& reply, const RenewedSession& renewed) {
  reply.__set_ttl_ms(in_milliseconds(renewed.ttl));
  reply.__set_epoch(to_wire_id(renewed.epoch));
  reply.__set_run(static_cast<int64_t>(renewed.run));
}
Result<RenewedSession> from_wire(const thrift::RenewReply& reply) {
  return unpack(reply, reply.__isset.ttl_ms, [&]() -> Result<RenewedSession> {
    TRY(check_period(reply.ttl_ms));
    return RenewedSession{milliseconds(reply.ttl_ms), from_wire_id<Epoch>(reply.epoch),
                          static_cast<uint64_t>(reply.run)};
  });
}

void fill_reply(thrift::EventsReply& reply, const EventPage& page) {
  reply.__set_events(to_wire(page.events));
  reply.__set_run(static_cast<int64_t>(page.run));
}
Result<EventPage> from_wire(const thrift::EventsReply& reply) {
  return unpack(reply, reply.__isset.events, [&]() -> Result<EventPage> {
    ASSIGN(std::vector<Event> events, from_wire(reply.events));
    return EventPage{std::move(events), static_cast<uint64_t>(reply.run)};
  });
}

void fill_reply(thrift::AcquireReply& reply, const std::vector<Lease>& granted) {
  reply.__set_granted(to_wire(granted));
}
Result<std::vector<Lease>> from_wire(const thrift::AcquireReply& reply) {
  return unpack(reply, reply.__isset.granted, [&] { return from_wire(reply.granted); });
}

// ---- the namespace -------------------------------------------------------------------------------------------------

void fill_reply(thrift::EntryReply& reply, const Entry& entry) { reply.__set_entry(to_wire(entry)); }
Result<Entry> from_wire(const thrift::EntryReply& reply) {
  return unpack(reply, reply.__isset.entry, [&] { return from_wire(reply.entry); });
}

void fill_reply(thrift::AttributesReply& reply, const Attributes& attributes) {
  reply.__set_attributes(to_wire(attributes));
}
Result<Attributes> from_wire(const thrift::AttributesReply& reply) {
  return unpack(reply, reply.__isset.attributes, [&]() -> Result<Attributes> {
    TRY(check_inode(reply.attributes.inode));
    return from_wire(reply.attributes);
  });
}

void fill_reply(thrift::ReadlinkReply& reply, const std::string& target) { reply.__set_target(target); }
Result<std::string> from_wire(const thrift::ReadlinkReply& reply) {
  return unpack(reply, reply.__isset.target, [&]() -> Result<std::string> {
    TRY(check_text("symlink's target", reply.target, kMaxTargetBytes));
    return reply.target;
  });
}

void fill_reply(thrift::DirectoryReply& reply, const DirectoryPage& page) {
  reply.__set_entries(to_wire(page.entries));
  reply.__set_complete(page.complete);
  reply.__set_parent(to_wire_id(page.parent));
}
Result<DirectoryPage> from_wire(const thrift::DirectoryReply& reply) {
  return unpack(reply, reply.__isset.entries && reply.__isset.complete, [&]() -> Result<DirectoryPage> {
    DirectoryPage page;
    ASSIGN(page.entries, from_wire(reply.entries));
    page.complete = reply.complete;
    page.parent = from_wire_id<InodeId>(reply.parent);
    return page;
  });
}

void fill_reply(thrift::StatfsReply& reply, const FilesystemSpace& space) {
  reply.__set_total_bytes(static_cast<int64_t>(space.total_bytes));
  reply.__set_free_bytes(static_cast<int64_t>(space.free_bytes));
  reply.__set_inodes(static_cast<int64_t>(space.inodes));
}
Result<FilesystemSpace> from_wire(const thrift::StatfsReply& reply) {
  return unpack(reply, reply.__isset.total_bytes && reply.__isset.free_bytes, [&]() -> Result<FilesystemSpace> {
    return FilesystemSpace{static_cast<uint64_t>(reply.total_bytes), static_cast<uint64_t>(reply.free_bytes),
                           static_cast<uint64_t>(reply.inodes)};
  });
}

void fill_reply(thrift::XattrReply& reply, const std::string& value) { reply.__set_value(value); }
Result<std::string> from_wire(const thrift::XattrReply& reply) {
  return unpack(reply, reply.__isset.value, [&] { return Result<std::string>(reply.value); });
}

void fill_reply(thrift::XattrListReply& reply, const std::vector<std::string>& names) { reply.__set_names(names); }
Result<std::vector<std::string>> from_wire(const thrift::XattrListReply& reply) {
  return unpack(reply, reply.__isset.names, [&]() -> Result<std::vector<std::string>> {
    for (const std::string& name : reply.names) TRY(check_xattr_name(name));
    return reply.names;
  });
}

void fill_reply(thrift::RemoveReply& reply, const Removed& removed) {
  reply.__set_inode(to_wire_id(removed.inode));
  reply.__set_links_left(static_cast<int32_t>(removed.links_left));
  reply.__set_directory(removed.directory);
}
Result<Removed> from_wire(const thrift::RemoveReply& reply) {
  return unpack(reply, reply.__isset.inode && reply.__isset.links_left, [&]() -> Result<Removed> {
    return Removed{from_wire_id<InodeId>(reply.inode), static_cast<uint32_t>(reply.links_left), reply.directory};
  });
}

void fill_reply(thrift::RenameReply& reply, const Renamed& renamed) {
  reply.__set_moved(to_wire(renamed.moved));
  reply.__set_replaced(to_wire_id(renamed.replaced));
  reply.__set_replaced_links_left(static_cast<int32_t>(renamed.replaced_links_left));
}
Result<Renamed> from_wire(const thrift::RenameReply& reply) {
  return unpack(reply, reply.__isset.moved && reply.__isset.replaced, [&]() -> Result<Renamed> {
    Renamed renamed;
    TRY(check_inode(reply.moved.inode));
    ASSIGN(renamed.moved, from_wire(reply.moved));
    renamed.replaced = from_wire_id<InodeId>(reply.replaced);
    renamed.replaced_links_left = static_cast<uint32_t>(reply.replaced_links_left);
    return renamed;
  });
}

// ---- data ----------------------------------------------------------------------------------------------------------

void fill_reply(thrift::LayoutReply& reply, const Layout& layout) {
  reply.__set_attributes(to_wire(layout.attributes));
  reply.__set_extents(to_wire(layout.extents));
  reply.__set_chunks(to_wire(layout.chunks));
  if (layout.inline_data) reply.__set_inline_data(*layout.inline_data);
  reply.__set_covered_until(static_cast<int64_t>(layout.covered_until));
}
Result<Layout> from_wire(const thrift::LayoutReply& reply) {
  return unpack(reply, reply.__isset.attributes && reply.__isset.covered_until, [&]() -> Result<Layout> {
    Layout layout;
    TRY(check_inode(reply.attributes.inode));
    ASSIGN(layout.attributes, from_wire(reply.attributes));
    ASSIGN(layout.extents, from_wire(reply.extents));
    for (size_t i = 1; i < layout.extents.size(); ++i) {
      if (layout.extents[i].offset < layout.extents[i - 1].end())
        return invalid("extents that overlap or are out of order");
    }
    ASSIGN(layout.chunks, from_wire(reply.chunks));
    if (reply.__isset.inline_data) layout.inline_data = reply.inline_data;
    layout.covered_until = static_cast<uint64_t>(reply.covered_until);
    return layout;
  });
}

void fill_reply(thrift::CommitReply& reply, const Committed& committed) {
  reply.__set_files(to_wire(committed.files));
  std::vector<int64_t> gone;
  gone.reserve(committed.gone.size());
  for (const InodeId inode : committed.gone) gone.push_back(to_wire_id(inode));
  reply.__set_gone(gone);
}
Result<Committed> from_wire(const thrift::CommitReply& reply) {
  return unpack(reply, reply.__isset.files && reply.__isset.gone, [&]() -> Result<Committed> {
    Committed committed;
    ASSIGN(committed.files, from_wire(reply.files));
    committed.gone.reserve(reply.gone.size());
    for (const int64_t inode : reply.gone) committed.gone.push_back(from_wire_id<InodeId>(inode));
    return committed;
  });
}

void fill_reply(thrift::GrantReply& reply, const std::vector<ChunkInfo>& chunks) {
  reply.__set_chunks(to_wire(chunks));
}
Result<std::vector<ChunkInfo>> from_wire(const thrift::GrantReply& reply) {
  return unpack(reply, reply.__isset.chunks, [&] { return from_wire(reply.chunks); });
}

// ---- the cluster ---------------------------------------------------------------------------------------------------

void fill_reply(thrift::ClusterMapReply& reply, const ClusterMap& map) {
  reply.__set_epoch(to_wire_id(map.epoch));
  reply.__set_servers(to_wire(map.servers));
  reply.__set_classes(to_wire(map.classes));
  reply.__set_incarnation(to_wire_id(map.incarnation));
}
Result<ClusterMap> from_wire(const thrift::ClusterMapReply& reply) {
  return unpack(reply, reply.__isset.epoch && reply.__isset.servers && reply.__isset.incarnation,
                [&]() -> Result<ClusterMap> {
                  ClusterMap map;
                  map.epoch = from_wire_id<Epoch>(reply.epoch);
                  map.incarnation = from_wire_id<Incarnation>(reply.incarnation);
                  ASSIGN(map.servers, from_wire(reply.servers));
                  ASSIGN(map.classes, from_wire(reply.classes));
                  return map;
                });
}

void fill_reply(thrift::HeartbeatReply& reply, const HeartbeatAnswer& answer) {
  reply.__set_server(static_cast<int32_t>(raw(answer.server)));
  reply.__set_incarnation(to_wire_id(answer.incarnation));
  reply.__set_epoch(to_wire_id(answer.epoch));
  reply.__set_interval_ms(static_cast<int32_t>(in_milliseconds(answer.interval)));
}
Result<HeartbeatAnswer> from_wire(const thrift::HeartbeatReply& reply) {
  const bool complete = reply.__isset.server && reply.__isset.incarnation && reply.__isset.interval_ms;
  return unpack(reply, complete, [&]() -> Result<HeartbeatAnswer> {
    if (reply.server == 0) return invalid("server 0");
    TRY(check_period(reply.interval_ms));
    return HeartbeatAnswer{from_wire_id<ServerId>(reply.server), from_wire_id<Incarnation>(reply.incarnation),
                           from_wire_id<Epoch>(reply.epoch), milliseconds(reply.interval_ms)};
  });
}

namespace {

thrift::ServerLoad to_wire(const ServerLoad& load) {
  thrift::ServerLoad wire;
  wire.server = static_cast<int32_t>(raw(load.server));
  wire.shards = static_cast<int64_t>(load.shards);
  wire.bytes = static_cast<int64_t>(load.bytes);
  return wire;
}
ServerLoad load_from(const thrift::ServerLoad& wire) {
  return {from_wire_id<ServerId>(wire.server), static_cast<uint64_t>(wire.shards), static_cast<uint64_t>(wire.bytes)};
}

thrift::RepairStatus to_wire(const RepairStatus& repair) {
  thrift::RepairStatus wire;
  wire.shards_waiting = static_cast<int64_t>(repair.shards_waiting);
  wire.shards_under_way = static_cast<int64_t>(repair.shards_under_way);
  wire.bytes_left = static_cast<int64_t>(repair.bytes_left);
  wire.bytes_per_second = static_cast<int64_t>(repair.bytes_per_second);
  wire.eta_seconds = repair.eta_seconds;
  wire.waiting_why = repair.waiting_why;
  for (const ServerLoad& load : repair.draining) wire.draining.push_back(to_wire(load));
  return wire;
}
RepairStatus repair_from(const thrift::RepairStatus& wire) {
  RepairStatus repair{static_cast<uint64_t>(wire.shards_waiting),
                      static_cast<uint64_t>(wire.shards_under_way),
                      static_cast<uint64_t>(wire.bytes_left),
                      static_cast<uint64_t>(wire.bytes_per_second),
                      wire.eta_seconds,
                      wire.waiting_why,
                      {}};
  for (const thrift::ServerLoad& load : wire.draining) repair.draining.push_back(load_from(load));
  return repair;
}

}  // namespace

void fill_reply(thrift::StatusReply& reply, const ClusterStatus& status) {
  reply.__set_incarnation(to_wire_id(status.incarnation));
  reply.__set_epoch(to_wire_id(status.epoch));
  reply.__set_uptime_ms(status.uptime_ms);
  reply.__set_inodes(static_cast<int64_t>(status.inodes));
  reply.__set_chunks(static_cast<int64_t>(status.chunks));
  reply.__set_open_chunks(static_cast<int64_t>(status.open_chunks));
  reply.__set_live_bytes(static_cast<int64_t>(status.live_bytes));
  reply.__set_missing_shards(static_cast<int64_t>(status.missing_shards));
  reply.__set_shortened_chunks(static_cast<int64_t>(status.shortened_chunks));
  reply.__set_unreadable_chunks(static_cast<int64_t>(status.unreadable_chunks));
  reply.__set_servers(to_wire(status.servers));
  reply.__set_classes(to_wire(status.classes));
  reply.__set_sessions(to_wire(status.sessions));
  reply.__set_applied_index(static_cast<int64_t>(status.applied_index));
  reply.__set_log_bytes(static_cast<int64_t>(status.log_bytes));
  reply.__set_garbage_chunks(static_cast<int64_t>(status.garbage_chunks));
  reply.__set_pending_punches(static_cast<int64_t>(status.pending_punches));
  if (!status.state_hash.empty()) reply.__set_state_hash(status.state_hash);
  reply.__set_survivable_losses(status.survivable_losses);
  if (!status.troubles.empty()) reply.__set_troubles(status.troubles);
  reply.__set_repair(to_wire(status.repair));
}
Result<ClusterStatus> from_wire(const thrift::StatusReply& reply) {
  // What says whether data is at risk must be there: green only where it is true.
  const bool complete = reply.__isset.missing_shards && reply.__isset.unreadable_chunks &&
                        reply.__isset.survivable_losses && reply.__isset.servers;
  return unpack(reply, complete, [&]() -> Result<ClusterStatus> {
    ClusterStatus status;
    status.incarnation = from_wire_id<Incarnation>(reply.incarnation);
    status.epoch = from_wire_id<Epoch>(reply.epoch);
    status.uptime_ms = reply.uptime_ms;
    status.inodes = static_cast<uint64_t>(reply.inodes);
    status.chunks = static_cast<uint64_t>(reply.chunks);
    status.open_chunks = static_cast<uint64_t>(reply.open_chunks);
    status.live_bytes = static_cast<uint64_t>(reply.live_bytes);
    status.missing_shards = static_cast<uint64_t>(reply.missing_shards);
    status.shortened_chunks = static_cast<uint64_t>(reply.shortened_chunks);
    status.unreadable_chunks = static_cast<uint64_t>(reply.unreadable_chunks);
    ASSIGN(status.servers, from_wire(reply.servers));
    ASSIGN(status.classes, from_wire(reply.classes));
    ASSIGN(status.sessions, from_wire(reply.sessions));
    status.applied_index = static_cast<uint64_t>(reply.applied_index);
    status.log_bytes = static_cast<uint64_t>(reply.log_bytes);
    status.garbage_chunks = static_cast<uint64_t>(reply.garbage_chunks);
    status.pending_punches = static_cast<uint64_t>(reply.pending_punches);
    status.state_hash = reply.state_hash;
    status.survivable_losses = reply.survivable_losses;
    status.troubles = reply.troubles;
    status.repair = repair_from(reply.repair);
    return status;
  });
}

void fill_reply(thrift::ChunkListReply& reply, const std::vector<ChunkInfo>& chunks) {
  reply.__set_chunks(to_wire(chunks));
}
Result<std::vector<ChunkInfo>> from_wire(const thrift::ChunkListReply& reply) {
  return unpack(reply, reply.__isset.chunks, [&] { return from_wire(reply.chunks); });
}

void fill_reply(thrift::ChangeServerReply& reply, const ServerChange& change) {
  reply.__set_load(to_wire(change.load));
  reply.__set_at_risk(static_cast<int64_t>(change.at_risk));
  reply.__set_free_elsewhere(static_cast<int64_t>(change.free_elsewhere));
  reply.__set_bytes_per_second(static_cast<int64_t>(change.bytes_per_second));
  reply.__set_changed(change.changed);
}
Result<ServerChange> from_wire(const thrift::ChangeServerReply& reply) {
  return unpack(reply, reply.__isset.load && reply.__isset.changed, [&]() -> Result<ServerChange> {
    return ServerChange{load_from(reply.load), static_cast<uint64_t>(reply.at_risk),
                        static_cast<uint64_t>(reply.free_elsewhere), static_cast<uint64_t>(reply.bytes_per_second),
                        reply.changed};
  });
}

Status from_wire(const thrift::EmptyReply& reply) {
  if (reply.__isset.error) return from_wire(reply.error);
  return {};
}

// ---- shards --------------------------------------------------------------------------------------------------------

namespace {

template <typename Reply>
void fill_position(Reply& reply, const ShardPosition& position) {
  reply.__set_boot(to_wire_id(position.boot));
  reply.__set_shard_end(static_cast<int64_t>(position.end));
}
template <typename Reply>
Result<ShardPosition> position_of(const Reply& reply) {
  return unpack(reply, reply.__isset.boot && reply.__isset.shard_end, [&]() -> Result<ShardPosition> {
    if (reply.shard_end < 0) return invalid("a negative end of a shard");
    return ShardPosition{from_wire_id<BootId>(reply.boot), static_cast<uint64_t>(reply.shard_end)};
  });
}

}  // namespace

void fill_reply(thrift::AppendReply& reply, const ShardPosition& position) { fill_position(reply, position); }
Result<ShardPosition> from_wire(const thrift::AppendReply& reply) { return position_of(reply); }
void fill_reply(thrift::SyncReply& reply, const ShardPosition& position) { fill_position(reply, position); }
Result<ShardPosition> from_wire(const thrift::SyncReply& reply) { return position_of(reply); }

void fill_reply(thrift::ReadReply& reply, const uint32_t& tail_bytes) {
  reply.__set_tail_bytes(static_cast<int32_t>(tail_bytes));
}
Result<uint32_t> from_wire(const thrift::ReadReply& reply) {
  return unpack(reply, reply.__isset.tail_bytes, [&]() -> Result<uint32_t> {
    if (!valid_tail(reply.tail_bytes)) return invalid(fmt::format("a tail of {} bytes", reply.tail_bytes));
    return static_cast<uint32_t>(reply.tail_bytes);
  });
}

Status from_wire(const thrift::ShardReply& reply) {
  if (reply.__isset.error) return from_wire(reply.error);
  return {};
}

void fill_reply(thrift::ListShardsReply& reply, const ShardPage& page) {
  reply.__set_shards(to_wire(page.shards));
  reply.__set_complete(page.complete);
}
Result<ShardPage> from_wire(const thrift::ListShardsReply& reply) {
  return unpack(reply, reply.__isset.shards && reply.__isset.complete, [&]() -> Result<ShardPage> {
    ShardPage page;
    ASSIGN(page.shards, from_wire(reply.shards));
    page.complete = reply.complete;
    return page;
  });
}

void fill_reply(thrift::ChunkserverStatusReply& reply, const ChunkserverStatus& status) {
  reply.__set_boot(to_wire_id(status.boot));
  reply.__set_uuid(status.uuid);
  reply.__set_total_bytes(static_cast<int64_t>(status.total_bytes));
  reply.__set_free_bytes(static_cast<int64_t>(status.free_bytes));
  reply.__set_shards(static_cast<int64_t>(status.shards));
  reply.__set_bad_records(static_cast<int64_t>(status.bad_records));
}
Result<ChunkserverStatus> from_wire(const thrift::ChunkserverStatusReply& reply) {
  return unpack(reply, reply.__isset.boot && reply.__isset.uuid, [&]() -> Result<ChunkserverStatus> {
    TRY(check_text("uuid", reply.uuid, kMaxLabelBytes));
    return ChunkserverStatus{from_wire_id<BootId>(reply.boot),         reply.uuid,
                             static_cast<uint64_t>(reply.total_bytes), static_cast<uint64_t>(reply.free_bytes),
                             static_cast<uint64_t>(reply.shards),      static_cast<uint64_t>(reply.bad_records)};
  });
}

void fill_reply(thrift::RebuildReply& reply, const RebuildProgress& progress) {
  reply.__set_stripes(static_cast<int32_t>(progress.stripes));
  reply.__set_done(progress.done);
  reply.__set_copied(static_cast<int64_t>(progress.copied));
  reply.__set_decoded(static_cast<int64_t>(progress.decoded));
  reply.__set_bytes(static_cast<int64_t>(progress.bytes));
}
Result<RebuildProgress> from_wire(const thrift::RebuildReply& reply) {
  return unpack(reply, reply.__isset.stripes && reply.__isset.done, [&]() -> Result<RebuildProgress> {
    TRY(check_between("stripes", reply.stripes, 0, kMaxRebuildStripes));
    return RebuildProgress{static_cast<uint32_t>(reply.stripes), reply.done, static_cast<uint64_t>(reply.copied),
                           static_cast<uint64_t>(reply.decoded), static_cast<uint64_t>(reply.bytes)};
  });
}

}  // namespace cairn
