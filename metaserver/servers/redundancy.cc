#include "metaserver/servers/redundancy.h"

#include <algorithm>

namespace cairn {

void Redundancy::add(const ChunkInfo& chunk, const std::map<ServerId, Health>& health, uint8_t k, uint64_t lost) {
  if (chunk.sealed && chunk.live_bytes == 0) return;  // dead: nothing is at risk
  for (const ServerId server : chunk.servers) {
    ServerLoad& load = held[server];
    load.server = server;
    ++load.shards;
    load.bytes += chunk.live_bytes / chunk.code.d;
  }
  int32_t present = 0;
  for (size_t shard = 0; shard < chunk.servers.size(); ++shard) {
    if (((lost >> shard) & 1) != 0) continue;
    const auto it = health.find(chunk.servers[shard]);
    if (it != health.end() && answers(it->second)) ++present;
  }
  missing_shards += chunk.servers.size() - static_cast<size_t>(present);
  if (k != 0 && chunk.code.d < k) ++shortened_chunks;
  if (chunk.live_bytes == 0) return;
  const int32_t spare = present - chunk.code.d;
  if (spare < 0) ++unreadable_chunks;
  least = std::min(least.value_or(spare), spare);
}

}  // namespace cairn
