// Turns one stripe's bytes into its d + m records: parity, tags, headers, and the iovecs that send each record.
//
//   pieces of the caller's memory -> cells -> | header 0 | cell 0 |  | header 1 | cell 1 | ... | header d | parity 0 |
//   ...
//
// Cells are sent from the caller's memory. Copied are only a cell that lies in several pieces (parity needs it in one)
// and the last, partly filled block (it is stored zero-padded). One thread at a time. Buffers are kept for the next
// stripe: an encoder holds (d + m) headers, m cells and at most d cells. Not here: places and sending (open_chunk.h),
// the header's bytes (record_format.h).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/buffer.h"
#include "common/base/result.h"
#include "common/stripe/erasure_code.h"
#include "common/stripe/geometry.h"
#include "common/stripe/record_format.h"

namespace cairn {

// The data of one stripe. pieces are the stripe's bytes in order, starting at position `first_cell * cell_bytes`; they
// fill consecutive cells, the last of which may be partly filled. Buffers stay valid until the stripe is committed or
// given up.
struct StripeData {
  uint32_t cell_bytes = 0;
  uint32_t first_cell = 0;    // small stripes rotate
  std::vector<iovec> pieces;  // at most (d - first_cell) * cell_bytes in all, > 0
  std::vector<Owner> owners;  // positions are in the stripe's data; at most kMaxOwners
};

// The shape that this data gets in a chunk of that code; invalid if it breaks a bound above.
Result<StripeShape> shape_of(const StripeData& stripe, Code code);

class StripeEncoder {
 public:
  struct Identity {
    Incarnation incarnation{};
    ChunkId chunk{};
    uint64_t place = 0;
    Epoch writer_epoch{};
  };
  // What is appended to one shard. Valid until the next encode; its pieces point to the caller's memory and to this
  // encoder's.
  struct Record {
    uint8_t shard = 0;
    uint32_t bytes = 0;  // header and stored part of the cell: a multiple of 4096
    std::vector<iovec> pieces;
  };

  explicit StripeEncoder(Code code);
  // Requires shape == shape_of(stripe, code). The records of the present data shards and of all parity shards, by
  // shard.
  std::span<const Record> encode(const Identity& identity, const StripeShape& shape, const StripeData& stripe);

 private:
  struct Cell {
    const uint8_t* data = nullptr;
    uint32_t bytes = 0;
  };
  bool partial() const { return cells_[last_].bytes % kBlockBytes != 0; }
  void lay_out_cells(const StripeShape& shape, const StripeData& stripe);
  const uint8_t* gather(uint32_t cell, uint32_t cell_bytes, std::span<const iovec> pieces, size_t piece, size_t offset,
                        uint32_t bytes);
  void make_parity_and_tags(const StripeShape& shape);
  void add_record(const StripeShape& shape, uint32_t shard);

  std::shared_ptr<const ErasureCode> code_;
  std::vector<Cell> cells_;               // d + m; data is null where absent
  std::vector<Buffer> gathered_;          // of data cells that lay in pieces
  Buffer parity_;                         // m cells
  Buffer headers_;                        // d + m headers
  Buffer last_block_;                     // the partly filled block, zero-padded
  uint32_t last_ = 0;                     // the last present data cell; the others are full
  std::vector<RecordHeader> records_of_;  // d + m
  std::vector<Record> records_;
};

}  // namespace cairn
