// A flush becomes visible: stripes that are stored and synced on all their shards become extents of files, all together
// or none.
#include "common/probes/planted_bug.h"
#include "metaserver/ops/content.h"
#include "metaserver/ops/free_inode.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

// The largest record, so that the last stripe may end behind the limit below which it must start.
constexpr uint64_t kMaxStride = kMaxHeaderBytes + kMaxCellBytes;

using Chunks = std::map<ChunkId, ChunkRow>;  // those that the extents name

Error stale(ChunkId chunk, const std::string& why) {
  return {Errc::stale_epoch, fmt::format("chunk {} {}: write it to another chunk", raw(chunk), why)};
}

// The chunk takes this commit as its next one.
Status check_turn(const Operation& operation, const ChunkRow& chunk, const ChunkCommit& commit) {
  if (planted(PlantedBug::skip_epoch_check)) return {};
  if (chunk.state != ChunkState::open) return stale(commit.chunk, "is sealed");
  if (chunk.owner != operation.session) return stale(commit.chunk, "has another owner");
  if (chunk.info.writer_epoch != commit.writer_epoch) return stale(commit.chunk, "has another writer's epoch");
  if (chunk.info.committed != commit.committed_from) {
    return stale(commit.chunk,
                 fmt::format("is committed up to {}, not {}", chunk.info.committed, commit.committed_from));
  }
  if (commit.committed_to < commit.committed_from || commit.committed_to % kBlockBytes != 0 ||
      commit.committed_to > chunk.info.shard_limit + kMaxStride) {
    return Error{Errc::invalid,
                 fmt::format("chunk {} cannot be committed up to {}", raw(commit.chunk), commit.committed_to)};
  }
  return {};
}

Result<Chunks> take_turns(Operation& operation, const std::vector<ChunkCommit>& commits) {
  Chunks chunks;
  for (const ChunkCommit& commit : commits) {
    ASSIGN(std::optional<ChunkRow> chunk, find_chunk(operation.rows, commit.chunk));
    if (!chunk) return stale(commit.chunk, "does not exist");
    if (chunks.contains(commit.chunk))
      return Error{Errc::invalid, fmt::format("chunk {} is named twice", raw(commit.chunk))};
    TRY(check_turn(operation, *chunk, commit));
    chunk->info.committed = commit.committed_to;
    operation.rows.put(keys::chunk(commit.chunk), encode_row(*chunk));
    chunks.emplace(commit.chunk, std::move(*chunk));
  }
  return chunks;
}

// The extent's stripes are committed ones of a chunk that still takes references.
Status check_extent(Operation& operation, const Extent& extent, Chunks& chunks) {
  if (!valid(extent)) return Error{Errc::invalid, "an extent has impossible numbers"};
  auto known = chunks.find(extent.chunk);
  if (known == chunks.end()) {
    ASSIGN(std::optional<ChunkRow> row, find_chunk(operation.rows, extent.chunk));
    if (!row) return stale(extent.chunk, "does not exist");
    known = chunks.emplace(extent.chunk, std::move(*row)).first;
  }
  const ChunkRow& chunk = known->second;
  if (chunk.state >= ChunkState::dead) return stale(extent.chunk, "is given back");
  if (extent.shape.code != chunk.info.code)
    return Error{Errc::invalid, fmt::format("chunk {} has another code", raw(extent.chunk))};
  const uint64_t stripes = (extent.position + extent.length - 1) / extent.shape.data_bytes() + 1;
  const uint64_t last = extent.place + (stripes - 1) * extent.shape.stride();
  if (last + extent.shape.stride() > chunk.info.committed || last >= chunk.info.shard_limit) {
    return Error{Errc::invalid, fmt::format("an extent lies behind what chunk {} has committed", raw(extent.chunk))};
  }
  return {};
}

// No stripe lies across the place up to which the chunk was committed before: it would overlap an older one.
Status check_boundary(const Extent& extent, const std::vector<ChunkCommit>& commits) {
  for (const ChunkCommit& commit : commits) {
    if (commit.chunk != extent.chunk || extent.place >= commit.committed_from) continue;
    const uint64_t stripes = (extent.position + extent.length - 1) / extent.shape.data_bytes() + 1;
    const uint64_t before = commit.committed_from - extent.place;
    if (before < stripes * extent.shape.stride() && before % extent.shape.stride() != 0) {
      return Error{Errc::invalid,
                   fmt::format("a stripe lies across the committed length of chunk {}", raw(extent.chunk))};
    }
  }
  return {};
}

Status check_file(const FileCommit& commit) {
  TRY(check_time(commit.mtime));
  if (commit.size_at_least > kMaxFileBytes)
    return Error{Errc::too_big, fmt::format("a file has at most {} bytes", kMaxFileBytes)};
  if (!commit.inline_data) return {};
  if (commit.inline_data->size() > kMaxInlineBytes) {
    return Error{Errc::too_big, fmt::format("inline data has at most {} bytes", kMaxInlineBytes)};
  }
  if (!commit.extents.empty()) return Error{Errc::invalid, "a file has inline data or extents"};
  return {};
}

Status change_file(Operation& operation, InodeRow& file, const FileCommit& commit) {
  Attributes& attributes = file.attributes;
  uint64_t size = std::max(attributes.size, commit.size_at_least);
  if (commit.inline_data) {
    TRY(drop_data(operation, file));
    write_content(operation, file, *commit.inline_data);
    size = std::max<uint64_t>(size, commit.inline_data->size());
  } else if (!commit.extents.empty()) {
    drop_content(operation, file);
    ExtentMap extents = operation.extents(file);
    for (const Extent& extent : commit.extents) {
      TRY(extents.insert(extent));
      size = std::max(size, extent.end());  // a byte that was written is within the file
    }
  }
  attributes.size = size;
  attributes.mtime = commit.mtime;
  attributes.ctime = std::max(attributes.ctime, commit.mtime);
  operation.touch(file);
  return {};
}

}  // namespace

Result<Answer> run(Operation& operation, const Commit& request) {
  ASSIGN(Chunks chunks, take_turns(operation, request.chunks));
  Committed answer;
  for (const FileCommit& commit : request.files) {
    TRY(check_file(commit));
    for (const Extent& extent : commit.extents) {
      TRY(check_extent(operation, extent, chunks));
      TRY(check_boundary(extent, request.chunks));
    }
    ASSIGN(InodeRow* const file, operation.find(commit.inode));
    if (file == nullptr) {  // unlinked meanwhile, and nobody has it open: its bytes are garbage that is known
      for (const Extent& extent : commit.extents) operation.ledger().mention(extent);
      answer.gone.push_back(commit.inode);
      continue;
    }
    TRY(operation.regular_file(commit.inode));
    TRY(change_file(operation, *file, commit));
  }
  for (const FileCommit& commit : request.files) {
    ASSIGN(const InodeRow* const file, operation.find(commit.inode));
    answer.files.push_back(file != nullptr ? file->attributes : Attributes{});
  }
  return Answer(std::move(answer));
}

}  // namespace cairn::ops
