// The writer's end of one open chunk: gives places, appends stripes to d + m shards, makes them durable, and says what may be
// committed. After any failure it is broken for good: its owner seals it and writes the uncommitted stripes elsewhere.
//
//   place stripes in order -> append (one caller at a time) -> sync (any callers, shared) -> commit in order
//
// Not here: what goes into a stripe (client/flusher.h), the commit itself (the metaserver), getting another chunk.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/thread.h"
#include "common/meta/cluster.h"
#include "common/stripe/geometry.h"
#include "common/stripe/record_format.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

// The data of one stripe. pieces are the stripe's bytes in order, starting at position `first_cell * cell_bytes`; they fill
// consecutive cells, the last of which may be partly filled. Buffers stay valid until the stripe is committed or given up.
struct StripeData {
  uint32_t cell_bytes = 0;
  uint32_t first_cell = 0;             // small stripes rotate
  std::vector<iovec> pieces;           // at most (d - first_cell) * cell_bytes in all, > 0
  std::vector<Owner> owners;           // positions are in the stripe's data; at most kMaxOwners
};

struct PlacedStripe {
  uint64_t place = 0;
  StripeShape shape;
};

class OpenChunk {
 public:
  OpenChunk(ChunkInfo info, ShardTransport& transport, Clock& clock, Duration io_timeout);
  ~OpenChunk();
  const ChunkInfo& info() const;
  bool broken() const;
  // Whether a stripe of this shape's stride still starts below the shard limit.
  bool has_room() const;
  // The first cell for a stripe of so many cells: rotates, so that small stripes spread over the data shards.
  uint32_t next_first_cell(uint32_t cells);

  // Encodes, tags and appends the stripes, in order, one place behind the other. Pipelined: several stripes are under way at once. One caller at a
  // time (the caller serialises). With sync, the shards are durable on return. An error breaks the chunk; failed_servers() says whom.
  Result<std::vector<PlacedStripe>> append(std::span<const StripeData> stripes, bool sync);
  // Makes every stripe before `end` durable on every shard that holds a part of it. Any thread, while others append.
  Status sync(uint64_t end);
  // Place behind the last appended stripe.
  uint64_t end() const;
  // Commits happen in order of place: waits until everything before `from` was committed (true) or the chunk broke or was
  // abandoned (false). committed() lets the next one go.
  bool wait_for_turn(uint64_t from);
  void committed(uint64_t to);
  void mark_broken(std::string why);
  std::vector<ServerId> failed_servers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn
