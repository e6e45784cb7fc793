// New chunks, open for one session, on servers that the proposer has placed.
#include <set>

#include "common/probes/rare_path.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

constexpr uint64_t kMaxShardLimit = kChunkDataBytes;  // with one data shard

Error bad(const char* what) { return {Errc::invalid, std::string("a planned chunk ") + what}; }

Status check_plan(Operation& operation, const PlannedChunk& plan, const StorageClass& storage_class) {
  if (plan.code.d < 1 || plan.code.d > storage_class.policy.d || plan.code.m != storage_class.policy.m) {
    return bad("gives up more than data shards");
  }
  if (plan.servers.size() != plan.code.shards()) return bad("has not one server for each shard");
  if (plan.cell_bytes == 0 || plan.cell_bytes > kMaxCellBytes || plan.cell_bytes % kBlockBytes != 0)
    return bad("has an impossible cell");
  if (plan.shard_limit == 0 || plan.shard_limit > kMaxShardLimit || plan.shard_limit % kBlockBytes != 0) {
    return bad("has an impossible limit");
  }
  std::set<ServerId> seen;
  for (const ServerId server : plan.servers) {
    if (!seen.insert(server).second) return bad("has two shards on one server");
    ASSIGN(const std::optional<ServerRow> known, find_row<ServerRow>(operation.rows, keys::server(server)));
    if (!known) return bad("names an unknown server");
  }
  return {};
}

}  // namespace

Result<Answer> run(Operation& operation, const CreateChunks& request) {
  if (operation.session == SessionId{}) return Error{Errc::invalid, "an open chunk needs a session as its owner"};
  ASSIGN(queries::Counters* const counters, operation.counters());
  ASSIGN(const Incarnation incarnation, queries::incarnation(operation.rows));
  std::vector<ChunkInfo> created;
  for (const PlannedChunk& plan : request.chunks) {
    ASSIGN(const StorageClass storage_class, queries::storage_class(operation.rows, plan.storage_class));
    TRY(check_plan(operation, plan, storage_class));

    ChunkRow row;
    row.birth = operation.index;
    row.owner = operation.session;
    row.shortened = plan.code.d < storage_class.policy.d;
    row.info = ChunkInfo{.chunk = ChunkId{counters->next_chunk++},
                         .storage_class = plan.storage_class,
                         .code = plan.code,
                         .servers = plan.servers,
                         .writer_epoch = Epoch{counters->next_writer_epoch++},
                         .incarnation = incarnation,
                         .cell_bytes = plan.cell_bytes,
                         .shard_limit = plan.shard_limit};
    ++counters->chunks;
    ++counters->open_chunks;
    if (row.shortened) {
      ++counters->shortened_chunks;
      reached(RarePath::shortened_code);
    }
    operation.rows.put(keys::chunk(row.info.chunk), encode_row(row));
    operation.rows.put(keys::open_chunk(row.owner, row.info.chunk), encode_row(operation.born()));
    created.push_back(std::move(row.info));
  }
  return Answer(std::move(created));
}

}  // namespace cairn::ops
