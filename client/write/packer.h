// Cuts what a flush has taken, of one file or of many, into stripes.
//
//   runs      | file 7: 100 B | file 9: 3000 B | file 9: 700 KiB ...
//   stripes   | cell | cell | cell | cell |   | cell | cell (partly filled) |
//
// Bytes lie one behind the other without gaps. A full stripe has cells of the storage class; the last one, and one that
// is cut because it has too many owners, has the smallest cells that hold it, so a lone 4 KiB is one cell and its
// parity. Pure arithmetic. Sizes in bytes. Not here: encoding and sending (common/stripe/open_chunk.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/inodes/layout_cache.h"
#include "common/stripe/open_chunk.h"

namespace cairn {

// Contiguous bytes of one file.
struct PackRun {
  uint32_t file = 0;  // index of the file in its flush
  InodeId inode{};
  uint32_t generation = 0;
  uint64_t offset = 0;       // in the file
  std::vector<iovec> bytes;  // not empty, each longer than 0
  uint64_t length() const;
};

struct PackedStripe {
  StripeData data;              // first_cell 0, and positions as if so: see place_from
  std::vector<uint32_t> files;  // of data.owners, in their order
  uint64_t bytes = 0;

  uint32_t cells() const { return static_cast<uint32_t>((bytes + data.cell_bytes - 1) / data.cell_bytes); }
  void place_from(uint32_t first_cell);  // moves the stripe's bytes to these cells
};

// The smallest cell (a power of two of 4 KiB blocks, at most class_cell_bytes) with which `bytes` fit one stripe.
// Requires 0 < bytes <= d * class_cell_bytes.
uint32_t cell_bytes_for(uint64_t bytes, uint32_t d, uint32_t class_cell_bytes);

std::vector<PackedStripe> pack(std::span<const PackRun> runs, uint32_t d, uint32_t class_cell_bytes);

// The extents that the files of the flush get when the stripe lies there, added behind extents[file] and joined where
// possible.
void add_extents(const PackedStripe& stripe, const PlacedStripe& placed, ChunkId chunk,
                 std::vector<std::vector<Extent>>& extents);

}  // namespace cairn
