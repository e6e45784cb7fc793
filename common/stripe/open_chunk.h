// The writer's end of one open chunk: gives places, appends stripes to d + m shards, makes them durable, and says what
// may be committed. After any failure it is broken for good: its owner seals it and writes the uncommitted stripes
// elsewhere.
//
//   place stripes in order -> append (one caller at a time) -> sync (any callers, shared) -> commit in order
//
// Not here: what goes into a stripe (client/write/flusher.h), the commit itself (the metaserver), getting another
// chunk.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/thread.h"
#include "common/meta/cluster.h"
#include "common/stripe/geometry.h"
#include "common/stripe/shard_calls.h"
#include "common/stripe/stripe_encoder.h"

namespace cairn {

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
  // Whether one more stripe starts below the shard limit. False when broken.
  bool has_room() const;
  // How many of these stripes, from the first, start below the shard limit if they are appended next.
  size_t fitting(std::span<const StripeData> stripes) const;
  // The first cell for a stripe of so many cells: rotates, so that small stripes spread over the data shards.
  uint32_t next_first_cell(uint32_t cells);

  // Encodes, tags and appends the stripes, in order, one place behind the other. Pipelined: several stripes are under
  // way at once. One caller at a time (the caller serialises). With sync_too, the shards are durable on return.
  // invalid: the stripes are malformed or do not all fit (fitting()); nothing was sent and the chunk is as before. Any
  // other error breaks the chunk; failed_servers() says whom to avoid.
  Result<std::vector<PlacedStripe>> append(std::span<const StripeData> stripes, bool sync_too);
  // Makes every stripe before `end` durable on every shard that holds a part of it: asks only those that are not yet.
  // Any thread, while others append; concurrent calls share one round. Requires end <= this->end(). An error breaks the
  // chunk.
  Status sync(uint64_t end);
  // Place behind the last appended stripe.
  uint64_t end() const;
  // Commits happen in order of place: waits until everything before `from` was committed (true, also when the chunk
  // broke since) or the chunk broke or was abandoned (false). committed() lets the next one go.
  bool wait_for_turn(uint64_t from);
  void committed(uint64_t to);
  void mark_broken(std::string why);
  std::vector<ServerId> failed_servers() const;

 private:
  struct State;
  Result<std::vector<PlacedStripe>> append_stripes(std::span<const StripeData> stripes, bool sync_too);
  std::unique_ptr<State> state_;
};

}  // namespace cairn
