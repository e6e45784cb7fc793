// What is to be repaired or moved, most urgent first: the decisions of repair. Pure.
//
//   chunks' rows --+                        not redundant: fewest spare shards first, then the most live bytes
//   health --------+--> RepairScan --> wants then draining: the shard is there and moves
//   lost shards ---+               --> chunks to be sealed first (open, on a server that is down or draining)
//
// A shard is wanted elsewhere if its server is down, or does not belong to the cluster any more; it is wanted where it
// is if its server is up and has lost it; it is to move if its server is draining. A server that is suspect, or not
// heard yet, may have its shards: nothing is wanted for it. So a server that comes back needs no repair. Chunks without
// live bytes are not repaired. Not here: who does it, and when (repairer.h), where it goes (placement.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/meta/cluster.h"

namespace cairn {

enum class WantReason : uint8_t { gone, lost, draining };
struct RepairWant {
  ChunkId chunk{};
  uint8_t shard = 0;
  ServerId from{};
  WantReason reason = WantReason::gone;
  int32_t spare = 0;   // shards of the chunk that are there, beyond d; negative: it cannot be read now
  uint64_t bytes = 0;  // of live data in the shard, about
  bool operator==(const RepairWant&) const = default;
};
// Whether a comes before b.
bool more_urgent(const RepairWant& a, const RepairWant& b);

// Of one sealed chunk, most urgent first. lost: bit i says that the server of shard i does not have it.
std::vector<RepairWant> wants_of(const ChunkInfo& chunk, const std::map<ServerId, Health>& health, uint64_t lost);

class RepairScan {
 public:
  // Remembers at most so many wants, the most urgent; the others are only counted.
  explicit RepairScan(size_t most) : most_(most) {}
  void add(const ChunkInfo& chunk, const std::map<ServerId, Health>& health, uint64_t lost);

  struct Found {
    std::vector<RepairWant> wants;  // most urgent first
    std::vector<ChunkId> to_seal;   // at most as many as wants
    uint64_t shards = 0;            // all wants
    uint64_t bytes = 0;             // of these
  };
  Found take();

 private:
  const size_t most_;
  Found found_;  // its wants are a heap, the least urgent on top, once there are `most_`
};

}  // namespace cairn
