// Where each byte of a run of equal stripes lives among the shards of its chunk.
//
//   run      | stripe 0: cell 0 | cell 1 | .. | cell d-1 | stripe 1: cell 0 | ...
//   shard s  | header, cell s of stripe 0 | header, cell s of stripe 1 | ...      (s >= d: parity)
//            ^ place                       ^ place + stride
//
// A stripe with absent data cells has them as zeros that no shard stores; parity cells are always stored.
// Pure arithmetic, safe from any thread. Sizes in bytes.
// Not here: parity itself (erasure_code.h), the record's header (record_format.h).
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/types.h"

namespace cairn {

inline constexpr uint32_t kMaxHeaderBytes = 65536;  // of a record; today's largest has 20480 (512 owners, 1 MiB cells)
inline constexpr uint64_t kMaxShardBytes = 1ull << 30;  // bounds every place; a shard is filled to about 64 MiB / d

struct StripeShape {
  Code code;
  uint32_t cell_bytes = 0;    // multiple of 4096, at most 1 MiB
  uint32_t header_bytes = 0;  // multiple of 4096: the record's header, the same on every shard
  uint32_t present = 0;       // bit i: data cell i is stored
  bool operator==(const StripeShape&) const = default;

  uint64_t data_bytes() const { return uint64_t{code.d} * cell_bytes; }
  uint64_t stride() const { return uint64_t{header_bytes} + cell_bytes; }
  uint32_t all_present() const { return code.d == 32 ? ~0u : (1u << code.d) - 1; }
};

// A range of a file, and the run that holds it.
struct Extent {
  uint64_t offset = 0;  // in the file
  uint64_t length = 0;  // > 0
  ChunkId chunk{};
  uint64_t place = 0;     // of the run's first stripe
  uint64_t position = 0;  // of the first byte in the run; < shape.data_bytes()
  StripeShape shape;
  bool operator==(const Extent&) const = default;

  uint64_t end() const { return offset + length; }
  // The part of this extent that holds [from, to) of the file, with place and position moved to its first stripe.
  // Requires offset <= from < to <= end().
  Extent part(uint64_t from, uint64_t to) const;
  // Whether next continues this one in the file and in the run, so that both are one extent: its first byte follows
  // this one's last in the same stripe or, where that stripe is full, begins the next. Joined runs consist of stripes
  // with every cell present; within one stripe any shape joins.
  bool joins(const Extent& next) const;
};

// One contiguous piece of a cell.
struct CellRange {
  uint64_t place = 0;   // of the stripe
  uint32_t cell = 0;    // 0 .. d-1, which is also the shard
  uint32_t offset = 0;  // from the start of the cell
  uint32_t length = 0;  // > 0, and offset + length <= cell_bytes
};
// The pieces that hold the extent's bytes, in order.
std::vector<CellRange> cells_of(const Extent& extent);

// A shape and geometry from outside (a message, a record, a row) that may be used in arithmetic. An extent must lie in
// present cells; a run of several stripes has every cell present.
bool valid(const StripeShape& shape);
bool valid(const Extent& extent);

}  // namespace cairn
