#include "metaserver/servers/shard_comparison.h"

namespace cairn {

namespace {

bool names(const ChunkInfo& chunk, ServerId server, uint8_t shard) {
  return shard < chunk.servers.size() && chunk.servers[shard] == server;
}

// Whether every server is known to have sealed what it holds of the chunk, and some of it counts.
bool settled(const ChunkRows& rows, const ChunkInfo& chunk) {
  return chunk.sealed && chunk.live_bytes > 0 && !rows.unconfirmed_seals.contains(chunk.chunk);
}

}  // namespace

Result<ShardFindings> compare_shards(ServerId server, const std::vector<ShardSummary>& listed, ChunkRange range,
                                     const ChunkRows& before, const ChunkRows& after, ChunkId next_chunk,
                                     const LeastEnd& least_end) {
  ShardFindings findings;
  std::map<std::pair<ChunkId, uint8_t>, const ShardSummary*> here;
  for (const ShardSummary& shard : listed) {
    if (!range.contains(shard.chunk)) continue;
    here[{shard.chunk, shard.shard}] = &shard;
    const ShardAt at{server, shard.chunk, shard.shard};
    const auto row = after.chunks.find(shard.chunk);
    if (row != after.chunks.end()) {
      if (!names(row->second, server, shard.shard)) findings.misplaced.push_back(at);
    } else if (shard.chunk >= next_chunk) {
      findings.foreign.push_back(at);
    } else {
      findings.removed.push_back(at);
    }
  }
  for (const auto& [id, earlier] : before.chunks) {
    const auto now = after.chunks.find(id);
    if (now == after.chunks.end() || !settled(before, earlier) || !settled(after, now->second)) continue;
    for (uint8_t shard = 0; shard < earlier.servers.size(); ++shard) {
      if (!names(earlier, server, shard) || !names(now->second, server, shard)) continue;
      const auto found = here.find({id, shard});
      bool lost = found == here.end() || found->second->failed;
      if (!lost && found->second->end < earlier.committed) {
        ASSIGN(const uint64_t least, least_end(now->second, shard));
        lost = found->second->end < least;
      }
      if (lost) findings.lost.push_back({server, id, shard});
    }
  }
  return findings;
}

}  // namespace cairn
