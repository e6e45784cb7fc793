// The self-describing record: one cell of one stripe as it lies in a shard, and as it travels.
//
//   place                  place + header_bytes          place + header_bytes + cell_bytes = next place
//   | header | owners | tags |  cell, zero-padded to 4096  | (hole)  |
//
// docs/on_disk_format.md has the byte table. Little-endian, field by field. The header carries its own checksum; each
// 4096-byte block of the cell has a tag, a CRC32C seeded with (incarnation, chunk, shard, place, block index), so a
// block that was moved anywhere else is as wrong as a flipped one. Tags are made in the client before the data leaves
// and checked there after it arrives. Every record of a stripe lists the owners of the whole stripe, so that metadata
// can be rebuilt from any d shards.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/base/types.h"
#include "common/stripe/geometry.h"

namespace cairn {

// A range of the stripe's data and the file that it belongs to.
struct Owner {
  InodeId inode{};
  uint32_t generation = 0;
  uint64_t offset = 0;    // in the file
  uint32_t position = 0;  // in the stripe's data (cell index * cell_bytes + offset in the cell)
  uint32_t length = 0;
  bool operator==(const Owner&) const = default;
};
inline constexpr uint32_t kMaxOwners = 512;  // of one stripe; the writer cuts there

enum class TagType : uint8_t { crc32c = 1 };

struct RecordHeader {
  Incarnation incarnation{};
  ChunkId chunk{};
  uint64_t place = 0;
  uint8_t shard = 0;  // 0 .. d+m-1
  StripeShape shape;
  uint32_t data_bytes = 0;  // of this cell; the rest of the cell is zeros and not stored
  Epoch writer_epoch{};
  uint8_t codec = 0;    // 0: stored as it is
  uint32_t key_id = 0;  // 0: not encrypted
  std::vector<Owner> owners;
  std::vector<uint32_t> tags;  // one for each started block of data_bytes
  bool operator==(const RecordHeader&) const = default;
};

// Bytes of a header with so many owners and with cells of cell_bytes: a multiple of 4096. Every record of a stripe uses
// the header size of a full cell, so that all shards have the same stride.
uint32_t header_bytes_for(uint32_t owners, uint32_t cell_bytes);

// Requires out.size() == header.shape.header_bytes >= header_bytes_for(...). Fills all of it.
void encode_header(const RecordHeader& header, std::span<uint8_t> out);
// corrupt if any byte is not as encode_header made it; invalid if the magic is not there (a hole, or garbage). bytes
// may be longer than the header.
Result<RecordHeader> decode_header(std::span<const uint8_t> bytes);

// The tag of one block (up to 4096 bytes; a shorter one is taken as zero-padded).
uint32_t block_tag(const RecordHeader& header, uint32_t block, std::span<const uint8_t> bytes);
// Fills header.tags from the cell's data (data.size() == header.data_bytes).
void make_tags(RecordHeader& header, std::span<const uint8_t> data);

// The same, piece by piece from the cell's start: each but the last is a multiple of 4096 bytes long.
void append_tags(RecordHeader& header, std::span<const uint8_t> piece);

// What a reader expects to find; taken from the extent and the chunk's row, never from the record.
struct ExpectedRecord {
  Incarnation incarnation{};
  ChunkId chunk{};
  uint64_t place = 0;
  uint8_t shard = 0;
  StripeShape shape;
};
// corrupt, with the reason, if the header belongs to another record. Decoding alone does not say so.
Status verify_identity(const ExpectedRecord& expected, const RecordHeader& header);
// Checks identity, then the tags of the blocks in `blocks`, which start at cell_offset (multiple of 4096). Blocks
// wholly behind data_bytes must be ignored by the caller and are zero-filled here. corrupt with the reason otherwise.
Status verify_blocks(const ExpectedRecord& expected, const RecordHeader& header, uint32_t cell_offset,
                     std::span<uint8_t> blocks);

}  // namespace cairn
