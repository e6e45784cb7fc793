// What a server's list of shards means against the metadata: the decisions of the sweep (shard_sweep.h). Pure.
//
//   listed, and the chunk ...                           not listed, or unreadable, and the chunk ...
//     has a row that names it there    as it should be    is sealed, has live bytes, and its row   lost
//     has a row that does not          misplaced          names it there in both views
//     has no row, id given before      removed
//     has no row, id not given yet     foreign
//
// The rows are read twice: before the servers are asked, and after they have answered. A chunk that is made or sealed
// meanwhile is so never taken for removed or lost: removed is what the later view knows to be gone, lost what both
// views say must be there. Ids that were not given yet mean that the metadata is older than the shards.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "common/meta/cluster.h"
#include "common/meta/shards.h"

namespace cairn {

struct ShardAt {
  ServerId server{};
  ChunkId chunk{};
  uint8_t shard = 0;
  bool operator==(const ShardAt&) const = default;
};

// The chunks of a range of ids, behind `after` up to `upto`.
struct ChunkRange {
  ChunkId after{};
  ChunkId upto{};
  bool contains(ChunkId chunk) const { return chunk > after && chunk <= upto; }
};
struct ChunkRows {
  std::map<ChunkId, ChunkInfo> chunks;  // of the range
  std::set<ChunkId> unconfirmed_seals;  // of those, which servers have not all heard of their seal
};

struct ShardFindings {
  std::vector<ShardAt> removed, misplaced, foreign, lost;
};

// Where a shard of a sealed chunk must at least end. Asked only of shards that end before the committed length, as
// those do whose last cells are absent.
using LeastEnd = std::function<Result<uint64_t>(const ChunkInfo& chunk, uint8_t shard)>;

// listed: everything that the server has of the range. next_chunk: of the later view.
Result<ShardFindings> compare_shards(ServerId server, const std::vector<ShardSummary>& listed, ChunkRange range,
                                     const ChunkRows& before, const ChunkRows& after, ChunkId next_chunk,
                                     const LeastEnd& least_end);

}  // namespace cairn
