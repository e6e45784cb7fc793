// What one command does to the live bytes of chunks and stripes: gathered while extents change, written once at its
// end.
//
//   extents added, removed --> per stripe, per chunk, per (chunk, extent map): the difference
//   settle()               --> rows; a stripe without live bytes dies and is queued for punching, a sealed chunk
//   without any is dead
//
// A stripe that loses and gains in the same command is only seen with the sum. The work is proportional to the stripes
// touched. Not here: which extents change (extent_map.h).
#pragma once

#include <map>

#include "common/stripe/geometry.h"
#include "metaserver/state/rows.h"
#include "metaserver/state/transaction.h"

namespace cairn {

class SpaceLedger {
 public:
  void add(MapId map, const Extent& extent);
  void remove(MapId map, const Extent& extent);
  // The extent's stripes are stored although nobody will refer to these bytes (its file is gone): without another owner
  // they are dead at once.
  void mention(const Extent& extent);
  bool empty() const { return chunks_.empty(); }

  // Writes the rows. `writer` is who may bring new stripes into its own chunks (0: nobody).
  //   stale_epoch  bytes were added to a stripe or chunk that is already dead: they must be written elsewhere
  //   invalid      the stripes contradict those that are known
  //   corrupt      more bytes were removed than were live: the metadata is damaged
  struct Moment {
    LogIndex index{};
    int64_t wall_ns = 0;
    SessionId writer{};
  };
  Status settle(Transaction& transaction, queries::Counters& counters, const Moment& moment);

 private:
  struct StripeChange {
    int64_t bytes = 0;
    StripeShape shape;
  };
  struct ChunkChange {
    int64_t bytes = 0;
    std::map<uint64_t, StripeChange> stripes;  // by place
    std::map<MapId, int64_t> maps;
  };
  void change(const Extent& extent, int sign);
  Status settle_stripe(Transaction& transaction, queries::Counters& counters, const Moment& moment,
                       const ChunkRow& chunk, uint64_t place, const StripeChange& change);
  Status settle_maps(Transaction& transaction, ChunkId chunk, const ChunkChange& change);
  Status settle_chunk(Transaction& transaction, queries::Counters& counters, const Moment& moment, ChunkRow chunk,
                      int64_t bytes);

  std::map<ChunkId, ChunkChange> chunks_;
  bool contradiction_ = false;  // one place was named with two shapes
};

// Marks a sealed chunk without live bytes as dead and queues it. Changes the row, but does not write it.
void bury_if_dead(Transaction& transaction, queries::Counters& counters, LogIndex index, int64_t wall_ns,
                  ChunkRow& chunk);

}  // namespace cairn
