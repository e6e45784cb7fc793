#include "chunkserver/service.h"

#include <fmt/format.h>
#include <thrift/TApplicationException.h>

#include <algorithm>

#include "chunkserver/record_check.h"
#include "common/probes/kill_point.h"
#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"
#include "common/rpc/wire.h"

namespace cairn {
namespace {

constexpr uint32_t kMaxPage = 10'000;  // shards in one listing

ShardKey key_of(const ShardRef& shard) { return {shard.chunk, shard.shard}; }

// Ends the connection: its bytes can no longer be told apart.
[[noreturn]] void give_up(const std::string& why) {
  throw apache::thrift::TApplicationException(apache::thrift::TApplicationException::PROTOCOL_ERROR, why);
}

Result<ShardPosition> do_append(ChunkServiceParts& parts, const AppendCall& call, std::span<const uint8_t> record) {
  TRY(parts.identity.check(call.shard.incarnation, call.shard.server));
  TRY(check_record(record, {call.shard.incarnation, key_of(call.shard), call.place}));
  ASSIGN(uint64_t end, parts.store.append(key_of(call.shard), call.place, call.writer_epoch, record, call.sync));
  kill_point(KillPoint::append_done);
  return ShardPosition{parts.boot, end};
}

Result<ShardPosition> do_sync(ChunkServiceParts& parts, const SyncCall& call) {
  TRY(parts.identity.check(call.shard.incarnation, call.shard.server));
  if (call.boot != parts.boot) reached(RarePath::refused_boot);
  if (call.boot != parts.boot && !planted(PlantedBug::ignore_boot)) {
    return {Errc::stale_boot, fmt::format("{}: appended in boot {:x}, this is {:x}: what was not synced may be lost",
                                          key_of(call.shard).text(), raw(call.boot), raw(parts.boot))};
  }
  ASSIGN(uint64_t end, parts.store.sync(key_of(call.shard), call.end));
  return ShardPosition{parts.boot, end};
}

// A range of a file that goes out behind a reply.
struct FileRange {
  uint64_t offset = 0;
  uint64_t length = 0;
};
struct ReadPlan {
  std::shared_ptr<File> file;
  FileRange header, cell;
};

Result<ReadPlan> plan_read(ChunkServiceParts& parts, const ReadCall& call) {
  TRY(parts.identity.check(call.shard.incarnation, call.shard.server));
  uint64_t cell_at = call.place + call.header_bytes + call.cell_offset;
  TRY(check_range(cell_at, call.cell_bytes));
  ASSIGN(std::shared_ptr<File> file, parts.store.file(key_of(call.shard)));
  ReadPlan plan{std::move(file), {call.place, call.header_bytes}, {cell_at, call.cell_bytes}};
  bool adjacent = plan.header.length > 0 && plan.header.offset + plan.header.length == plan.cell.offset;
  if (adjacent) plan = {plan.file, {plan.header.offset, plan.header.length + plan.cell.length}, {}};
  return plan;
}

Result<ShardPage> do_list(ChunkServiceParts& parts, const ListShards& request) {
  TRY(parts.identity.check(request.incarnation, request.server));
  ASSIGN(ShardRows rows, parts.store.list(request.after, std::min(request.limit, kMaxPage)));
  ShardPage page;
  page.complete = rows.complete;
  for (const ShardRow& row : rows.rows) {
    page.shards.push_back({row.status.key.chunk, row.status.key.shard, row.status.end,
                           row.status.state == ShardState::sealed, row.status.committed, row.allocated,
                           row.status.failed});
  }
  return page;
}

Result<ChunkserverStatus> do_status(ChunkServiceParts& parts) {
  ASSIGN(DiskSpace space, parts.store.space());
  return ChunkserverStatus{parts.boot,       parts.identity.get().uuid, space.total_bytes,
                           space.free_bytes, parts.store.shards(),      parts.check.totals().bad_records};
}

Status do_seal(ChunkServiceParts& parts, const Result<SealShard>& request) {
  if (!request.ok()) return request.error();
  TRY(parts.identity.check(request->shard.incarnation, request->shard.server));
  return parts.store.seal(key_of(request->shard), request->committed, request->fence);
}

Status do_punch(ChunkServiceParts& parts, const Result<PunchShard>& request) {
  if (!request.ok()) return request.error();
  TRY(parts.identity.check(request->shard.incarnation, request->shard.server));
  TRY(check_range(request->place, request->length));
  return parts.store.punch(key_of(request->shard), request->place, request->length);
}

Status do_remove(ChunkServiceParts& parts, const Result<ShardRef>& request) {
  if (!request.ok()) return request.error();
  TRY(parts.identity.check(request->incarnation, request->server));
  return parts.store.remove(key_of(*request));
}

Result<RebuildProgress> do_rebuild(ChunkServiceParts& parts, const Result<RebuildShard>& request) {
  if (!request.ok()) return request.error();
  TRY(parts.identity.check(request->shard.incarnation, request->shard.server));
  return parts.rebuilds.work(*request);
}

}  // namespace

ChunkCounters::ChunkCounters(Metrics& metrics, const std::string& labels)
    : appends(metrics.counter("cairn_chunkserver_appends_total", "Appends that were answered well.", labels)),
      append_bytes(metrics.counter("cairn_chunkserver_append_bytes_total", "Bytes of these appends.", labels)),
      append_errors(metrics.counter("cairn_chunkserver_append_errors_total", "Appends that were refused.", labels)),
      syncs(metrics.counter("cairn_chunkserver_syncs_total", "Sync calls, with those of synced appends.", labels)),
      reads(metrics.counter("cairn_chunkserver_reads_total", "Reads that were answered well.", labels)),
      read_bytes(metrics.counter("cairn_chunkserver_read_bytes_total", "Bytes of these reads.", labels)),
      read_errors(metrics.counter("cairn_chunkserver_read_errors_total", "Reads that were refused.", labels)) {}

void ChunkService::append(thrift::AppendReply& reply, const thrift::AppendRequest& request) {
  if (!valid_tail(request.tail_bytes)) give_up(fmt::format("an append with a tail of {} bytes", request.tail_bytes));
  auto size = static_cast<uint64_t>(request.tail_bytes);
  auto refuse = [&](const Error& error) {
    parts_.counters.append_errors.add();
    answer(reply, error);
    Status skipped = tails_.skip_tail(size);
    if (!skipped.ok()) give_up(skipped.error().what);
  };
  auto call = from_wire(request);
  if (!call.ok()) return refuse(call.error());
  auto buffer = parts_.buffers.take(size, parts_.clock.now() + parts_.buffer_wait);
  if (!buffer.ok()) return refuse(buffer.error());
  Status came = tails_.read_tail(buffer->span());
  if (!came.ok()) give_up(came.error().what);
  auto position = do_append(parts_, *call, buffer->span());
  if (position.ok()) {
    parts_.counters.appends.add();
    parts_.counters.append_bytes.add(size);
    if (request.sync) parts_.counters.syncs.add();
  } else {
    parts_.counters.append_errors.add();
  }
  answer(reply, position);
}

void ChunkService::sync(thrift::SyncReply& reply, const thrift::SyncRequest& request) {
  parts_.counters.syncs.add();
  auto call = from_wire(request);
  answer(reply, call.ok() ? do_sync(parts_, *call) : Result<ShardPosition>(call.error()));
}

void ChunkService::read(thrift::ReadReply& reply, const thrift::ReadRequest& request) {
  auto call = from_wire(request);
  auto plan = call.ok() ? plan_read(parts_, *call) : Result<ReadPlan>(call.error());
  if (!plan.ok()) {
    parts_.counters.read_errors.add();
    return answer(reply, plan.error());
  }
  uint64_t bytes = 0;
  for (const FileRange& range : {plan->header, plan->cell}) {
    if (range.length > 0) tails_.reply_with_file(plan->file, range.offset, range.length);
    bytes += range.length;
  }
  parts_.counters.reads.add();
  parts_.counters.read_bytes.add(bytes);
  fill_reply(reply, static_cast<uint32_t>(bytes));
}

void ChunkService::seal(thrift::ShardReply& reply, const thrift::SealShardRequest& request) {
  answer(reply, do_seal(parts_, from_wire(request)));
}

void ChunkService::punch(thrift::ShardReply& reply, const thrift::PunchRequest& request) {
  answer(reply, do_punch(parts_, from_wire(request)));
}

void ChunkService::remove(thrift::ShardReply& reply, const thrift::RemoveShardRequest& request) {
  answer(reply, do_remove(parts_, from_wire(request)));
}

void ChunkService::rebuild(thrift::RebuildReply& reply, const thrift::RebuildRequest& request) {
  answer(reply, do_rebuild(parts_, from_wire(request)));
}

void ChunkService::list_shards(thrift::ListShardsReply& reply, const thrift::ListShardsRequest& request) {
  auto list = from_wire(request);
  answer(reply, list.ok() ? do_list(parts_, *list) : Result<ShardPage>(list.error()));
}

void ChunkService::status(thrift::ChunkserverStatusReply& reply, const thrift::ChunkserverStatusRequest&) {
  answer(reply, do_status(parts_));
}

RpcServer::ProcessorFactory chunk_processors(ChunkServiceParts parts) {
  return [parts](CallTails& tails) -> std::shared_ptr<apache::thrift::TProcessor> {
    return std::make_shared<thrift::ChunkserverProcessor>(std::make_shared<ChunkService>(parts, tails));
  };
}

}  // namespace cairn
