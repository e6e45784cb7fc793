// The bytes of the disk cache's files: records one behind the other and, once a file is full, an index of them.
//
//   segment   | header, piece | header, piece | ... | index: magic, all headers again, count, checksum, magic |
//
// A piece is what is cached: at most 128 KiB of one stripe's data, from a multiple of 128 KiB or from the stripe's
// first present cell on. (chunk, place) has one content for ever, so a piece is either right or damaged, never old.
// Golden bytes and fields are in docs/on_disk_format.md. Pure. Sizes in bytes. Not here: files (cache_segment.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/types.h"

namespace cairn {

inline constexpr uint32_t kPieceBytes = 128 << 10;

struct PieceKey {
  ChunkId chunk{};
  uint64_t place = 0;  // of the stripe
  uint32_t first = 0;  // of the piece's bytes in the stripe's data
  bool operator==(const PieceKey&) const = default;
};
uint64_t hash_of(const PieceKey& key);
struct PieceKeyHash {
  size_t operator()(const PieceKey& key) const { return hash_of(key); }
};
// Where the piece ends that begins at `at`, in a stripe (or a part of one) whose bytes end at `end`.
constexpr uint64_t piece_end(uint64_t at, uint64_t end) {
  const uint64_t next = (at / kPieceBytes + 1) * kPieceBytes;
  return next < end ? next : end;
}

struct CacheRecord {
  Incarnation incarnation{};  // of the database that knows the chunk
  PieceKey key;
  uint32_t length = 0;    // of the piece
  uint32_t checksum = 0;  // of the piece, see piece_checksum
  bool operator==(const CacheRecord&) const = default;
};
inline constexpr size_t kCacheRecordBytes = 52;  // of a header

// CRC32C of the piece, seeded with its identity: right bytes at a wrong place are wrong.
uint32_t piece_checksum(Incarnation incarnation, const PieceKey& key, std::span<const uint8_t> piece);

std::string encode_cache_record(const CacheRecord& record);
Result<CacheRecord> decode_cache_record(std::span<const uint8_t> header);  // corrupt: these bytes are no header

// The index of a full segment, and the other way: from a file's last bytes, how long its index is and what it says.
std::string encode_cache_index(std::span<const CacheRecord> records);
inline constexpr size_t kIndexTailBytes = 16;
inline constexpr size_t kIndexFrameBytes = 8 + kIndexTailBytes;  // of an index without headers
Result<uint64_t> cache_index_bytes(std::span<const uint8_t> tail);
// corrupt unless it is an index whose records fill exactly the `record_bytes` before it.
Result<std::vector<CacheRecord>> decode_cache_index(std::span<const uint8_t> index, uint64_t record_bytes);

}  // namespace cairn
