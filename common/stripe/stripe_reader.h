// A range of an extent's run, read from the fewest and best cells, verified, and decoded where cells are missing.
//
// StripeReadPlan (stripe_read_plan.h) is the pure state machine for one stripe: which shards to ask, what a reply, a
// failure or the time changes, when it is done. read_extent drives plans over a ShardTransport, many stripes at once
// within a bounded window. Whole blocks arrive straight in the caller's memory; only a range that begins or ends inside
// a block is copied.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/meta/cluster.h"
#include "common/stripe/geometry.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

// What went wrong on the way, for `cairn why`, logs and counters; a read that succeeded may have some.
struct ReadTrouble {
  ChunkId chunk{};
  uint64_t place = 0;
  uint8_t shard = 0;
  ServerId server{};
  Error error;
};
struct ReadOutcome {
  Status status;  // io if a stripe has too few good shards: "what" names the bad ones; invalid for an
                  // extent that is malformed or not of this chunk. out is then undefined.
  std::vector<ReadTrouble> troubles;  // each shard of a stripe once for each kind of error
  uint32_t decoded_stripes = 0;
  uint64_t decoded_bytes = 0;  // of out, rebuilt from other shards
  uint32_t hedged_cells = 0;
};
struct ReadOptions {
  // A cell that takes longer than this, and than three times what is usual now, is asked for elsewhere too: where
  // everything is slow, as on a full link, more requests would make it slower. 0: never.
  Duration hedge_after = 50ms;
  Duration give_up_after = 30s;  // of one stripe
};

// Fills out with the extent's bytes (out.size() == extent.length). Any thread. The same chunk info may serve many
// reads.
ReadOutcome read_extent(ShardTransport& transport, Clock& clock, const ChunkInfo& chunk, const Extent& extent,
                        std::span<uint8_t> out, const ReadOptions& options = {});

}  // namespace cairn
