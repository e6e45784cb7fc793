// How redundant the data is, from the chunks' rows and the servers' health: the numbers an administrator acts upon.
//
// A shard counts as present only on a server that is up (or draining): a suspect, down or unknown one may have it, and
// may not; and not where the sweep found it lost (shard_sweep.h). Pure; the scan is status.h's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "common/meta/admin.h"
#include "common/meta/cluster.h"

namespace cairn {

struct Redundancy {
  uint64_t missing_shards = 0;          // of chunks with live bytes or open, on servers that are not up, or lost
  uint64_t unreadable_chunks = 0;       // chunks with live bytes and fewer than d present shards
  uint64_t shortened_chunks = 0;        // chunks with live bytes or open, with fewer data shards than their class says
  std::map<ServerId, ServerLoad> held;  // by each server that rows name: of chunks that are not dead
  std::optional<int32_t>
      least;  // of the chunks with live bytes: fewest present shards beyond d; none without such chunks

  // k: data shards of the chunk's storage class, 0 if it is not known. lost: bit i says that shard i is.
  void add(const ChunkInfo& chunk, const std::map<ServerId, Health>& health, uint8_t k, uint64_t lost = 0);
};

}  // namespace cairn
