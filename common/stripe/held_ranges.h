// Which ranges of a file lie on which server: how a job of near-data tasks is cut.
//
//   window        [begin .......................................................... end)
//   extents          |== chunk 7: cells 0 1 2 0 1 2 ==|   hole   |= chunk 9: cell 3 =|
//   ranges        [0][ A ][ B ][ C ][ A ][ B ][ C ]   [   0    ][         D         ][0]
//
// The ranges tile the window: each byte is in one of them, in order. What no chunk holds (holes, inline content, the
// rest behind the last extent) has holder 0. Neighbours with one holder are one range. So who cuts and who maps agree
// on a task's splits if they agree on the window, the pinned extents and who held the chunks then: the splits of a task
// are the ranges of its owner, window by window.
// Pure, for any thread. Sizes are in bytes.
#pragma once

#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/stripe/geometry.h"

namespace cairn {

struct ChunkHolders {
  ChunkId chunk{};
  std::vector<ServerId> data;  // of data shard 0, 1, ...: as many as the code's d
  bool operator==(const ChunkHolders&) const = default;
};
struct HeldRange {
  uint64_t begin = 0, end = 0;  // of the file; begin < end
  ServerId holder{};            // 0: nobody
  bool operator==(const HeldRange&) const = default;
};

// Requires begin <= end. The extents are ascending; those outside of the window do not matter.
// invalid: extents that overlap, or whose chunk is not among the holders or has too few of them.
Result<std::vector<HeldRange>> held_ranges(uint64_t begin, uint64_t end, std::span<const Extent> extents,
                                           std::span<const ChunkHolders> holders);

// Those of one holder, in order.
std::vector<HeldRange> ranges_of(ServerId holder, std::span<const HeldRange> ranges);

}  // namespace cairn
