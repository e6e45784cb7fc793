#include "client/write/packer.h"

#include <algorithm>

namespace cairn {

uint64_t PackRun::length() const {
  uint64_t total = 0;
  for (const iovec& piece : bytes) total += piece.iov_len;
  return total;
}

void PackedStripe::place_from(uint32_t first_cell) {
  for (Owner& owner : data.owners)
    owner.position = owner.position - data.first_cell * data.cell_bytes + first_cell * data.cell_bytes;
  data.first_cell = first_cell;
}

uint32_t cell_bytes_for(uint64_t bytes, uint32_t d, uint32_t class_cell_bytes) {
  uint64_t cell = kBlockBytes;
  while (cell * d < bytes) cell *= 2;
  return static_cast<uint32_t>(std::min<uint64_t>(cell, class_cell_bytes));
}

std::vector<PackedStripe> pack(std::span<const PackRun> runs, uint32_t d, uint32_t class_cell_bytes) {
  const uint64_t full = uint64_t{d} * class_cell_bytes;
  std::vector<PackedStripe> stripes;
  PackedStripe current;
  const auto finish = [&] {
    if (current.bytes == 0) return;
    current.data.cell_bytes = cell_bytes_for(current.bytes, d, class_cell_bytes);
    stripes.push_back(std::move(current));
    current = {};
  };
  for (const PackRun& run : runs) {
    uint64_t offset = run.offset;
    bool continues = false;  // the run's last bytes are in the current stripe
    for (iovec piece : run.bytes) {
      while (piece.iov_len > 0) {
        if (current.bytes == full || (!continues && current.data.owners.size() == kMaxOwners)) {
          finish();
          continues = false;
        }
        const uint64_t length = std::min<uint64_t>(piece.iov_len, full - current.bytes);
        current.data.pieces.push_back({piece.iov_base, length});
        if (continues) {
          current.data.owners.back().length += static_cast<uint32_t>(length);
        } else {
          current.data.owners.push_back(
              {run.inode, run.generation, offset, static_cast<uint32_t>(current.bytes), static_cast<uint32_t>(length)});
          current.files.push_back(run.file);
          continues = true;
        }
        current.bytes += length;
        offset += length;
        piece = {static_cast<uint8_t*>(piece.iov_base) + length, piece.iov_len - length};
      }
    }
  }
  finish();
  return stripes;
}

void add_extents(const PackedStripe& stripe, const PlacedStripe& placed, ChunkId chunk,
                 std::vector<std::vector<Extent>>& extents) {
  for (size_t i = 0; i < stripe.data.owners.size(); ++i) {
    const Owner& owner = stripe.data.owners[i];
    const Extent extent{owner.offset, owner.length, chunk, placed.place, owner.position, placed.shape};
    std::vector<Extent>& of_file = extents[stripe.files[i]];
    if (!of_file.empty() && of_file.back().joins(extent)) {
      of_file.back().length += extent.length;
    } else {
      of_file.push_back(extent);
    }
  }
}

}  // namespace cairn
