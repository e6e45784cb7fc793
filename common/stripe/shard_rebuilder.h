// One shard of a sealed chunk, made again: record by record, each the same bytes as the one that was lost.
//
//   stripes, by place --+--> read from who may still have the shard, verified whole --------------------+--> sink
//                       +--> else: data of the stripe from d others (stripe_reader.h) --> encoded anew --+
//
// A record depends on nothing but what any record of its stripe says (owners, the writer's epoch) and on the stripe's
// data, so encoding the data again gives it back to the byte: a place keeps its one content. What does not verify is
// never passed on. A data cell that the stripe does not have stays a hole. A dead stripe may be punched on some servers
// already; where too few have it, nobody misses it, and it stays a hole too.
// For one thread. Not here: where the records go (chunkserver/shard_staging.h), which stripes there are and where the
// shard belongs (the metaserver).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/meta/cluster.h"
#include "common/meta/shards.h"
#include "common/stripe/shard_calls.h"
#include "common/stripe/stripe_encoder.h"

namespace cairn {

class ShardRebuilder {
 public:
  // Takes one whole record. An error ends the step.
  using Sink = std::function<Status(uint64_t place, std::span<const iovec> record)>;
  struct Options {
    std::vector<ServerId> copies;   // who may have this very shard still, asked in this order
    uint64_t lost = 0;              // bit i: shard i is not asked
    Duration give_up_after = 10s;   // of one stripe
    size_t batch_bytes = 4u << 20;  // of data that is in memory at once, though at least one stripe
  };
  struct Counts {
    uint64_t copied = 0, decoded = 0;  // records
    uint64_t given_up = 0;             // of dead stripes
    uint64_t bytes = 0;                // handed to the sink
  };

  // Requires shard < chunk.code.shards() and as many servers. The transport and the clock outlive this.
  ShardRebuilder(ShardTransport& transport, Clock& clock, ChunkInfo chunk, uint8_t shard, Options options, Sink sink);

  // The next records: of at least the first of these stripes. Returns how many were dealt with. Requires that they are
  // not empty. invalid: a stripe is not one of this chunk. io: a live stripe has too few good shards, or the sink's
  // error.
  Result<size_t> step(std::span<const StripeAt> stripes);
  const Counts& counts() const { return counts_; }

 private:
  class SurvivorTransport;
  class SurvivorCalls;
  struct Seen {  // what the records of a stripe have said
    StripeShape shape;
    bool any = false;
    std::vector<Owner> owners;
    Epoch writer_epoch{};
    uint32_t longest = 0;    // bytes of the longest cell
    uint32_t last_cell = 0;  // bytes of the last data cell; 0: its record was not seen
  };

  bool stored(const StripeAt& stripe) const;
  ExpectedRecord expected(const StripeAt& stripe) const;
  // Those that `from` does not have, or not whole.
  Result<std::vector<StripeAt>> copy(ServerId from, std::span<const StripeAt> stripes);
  Status decode(std::span<const StripeAt> stripes);
  Result<Buffer> read(std::span<const StripeAt> run);  // the data of its present cells
  Status emit(std::span<const StripeAt> run, std::span<const uint8_t> data);
  Status emit_one(const StripeAt& stripe, std::span<const uint8_t> data);
  void on_header(uint64_t place, uint8_t shard, std::span<const uint8_t> header);

  ShardTransport& transport_;
  Clock& clock_;
  const ChunkInfo chunk_;
  const uint8_t shard_;
  const Options options_;
  const Sink sink_;
  ChunkInfo survivors_;  // the chunk, with server 0 for shards that are not to be asked
  StripeEncoder encoder_;
  std::map<uint64_t, Seen> seen_;  // of the stripes being decoded, by place
  Counts counts_;
};

}  // namespace cairn
