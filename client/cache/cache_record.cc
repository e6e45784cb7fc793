#include "client/cache/cache_record.h"

#include "common/base/bytes.h"
#include "common/base/checksum.h"
#include "common/base/random.h"

namespace cairn {

namespace {

constexpr uint64_t kRecordMagic = 0x4843434e52494143;  // "CAIRNCCH"
constexpr uint64_t kIndexMagic = 0x5849434e52494143;   // "CAIRNCIX"
constexpr uint16_t kVersion = 1;
constexpr size_t kMagicBytes = 8;
constexpr uint64_t kMaxStripeBytes = uint64_t{kMaxDataShards} * kMaxCellBytes;

Error corrupt(const char* what) { return {Errc::corrupt, std::string("the block cache: ") + what}; }

}  // namespace

uint64_t hash_of(const PieceKey& key) { return mix64(mix64(raw(key.chunk)) + key.place + (uint64_t{key.first} << 32)); }

uint32_t piece_checksum(Incarnation incarnation, const PieceKey& key, std::span<const uint8_t> piece) {
  uint8_t identity[32];
  const uint64_t fields[] = {raw(incarnation), raw(key.chunk), key.place, key.first | uint64_t{piece.size()} << 32};
  for (size_t i = 0; i < sizeof identity; ++i) identity[i] = static_cast<uint8_t>(fields[i / 8] >> (8 * (i % 8)));
  return crc32c(piece, crc32c(identity));
}

std::string encode_cache_record(const CacheRecord& record) {
  ByteWriter out;
  out.u64(kRecordMagic).u16(kVersion).u16(0).u32(record.length).u64(raw(record.incarnation));
  out.u64(raw(record.key.chunk)).u64(record.key.place).u32(record.key.first).u32(record.checksum);
  out.u32(crc32c(bytes_of(out.view())));
  return out.take();
}

Result<CacheRecord> decode_cache_record(std::span<const uint8_t> header) {
  if (header.size() != kCacheRecordBytes) return corrupt("a record's header is cut off");
  ByteReader in(header);
  if (in.u64() != kRecordMagic) return corrupt("no record begins here");
  if (in.u16() != kVersion || in.u16() != 0) return corrupt("a record of another version");
  CacheRecord record;
  record.length = in.u32();
  record.incarnation = Incarnation{in.u64()};
  record.key.chunk = ChunkId{in.u64()};
  record.key.place = in.u64();
  record.key.first = in.u32();
  record.checksum = in.u32();
  if (in.u32() != crc32c(header.first(kCacheRecordBytes - 4))) return corrupt("a record's header is damaged");
  if (record.length == 0 || record.length > kPieceBytes || record.key.first + record.length > kMaxStripeBytes)
    return corrupt("a record of an impossible length");
  return record;
}

std::string encode_cache_index(std::span<const CacheRecord> records) {
  ByteWriter out;
  out.u64(kIndexMagic);
  for (const CacheRecord& record : records) out.raw(encode_cache_record(record));
  out.u32(static_cast<uint32_t>(records.size()));
  out.u32(crc32c(bytes_of(out.view()))).u64(kIndexMagic);
  return out.take();
}

Result<uint64_t> cache_index_bytes(std::span<const uint8_t> tail) {
  if (tail.size() != kIndexTailBytes) return corrupt("a file is shorter than an index");
  ByteReader in(tail);
  const uint64_t count = in.u32();
  (void)in.u32();
  if (in.u64() != kIndexMagic) return corrupt("a file without an index");
  return kIndexFrameBytes + count * kCacheRecordBytes;
}

Result<std::vector<CacheRecord>> decode_cache_index(std::span<const uint8_t> index, uint64_t record_bytes) {
  if (index.size() < kIndexFrameBytes) return corrupt("an index is cut off");
  ASSIGN(const uint64_t length, cache_index_bytes(index.last(kIndexTailBytes)));
  if (length != index.size()) return corrupt("an index of another length");
  const auto checked = index.first(index.size() - kMagicBytes - 4);
  ByteReader in(index);
  if (in.u64() != kIndexMagic) return corrupt("an index without its beginning");
  std::vector<CacheRecord> records;
  records.reserve((index.size() - kIndexFrameBytes) / kCacheRecordBytes);
  uint64_t covered = 0;
  for (size_t i = records.capacity(); i > 0; --i) {
    ASSIGN(records.emplace_back(), decode_cache_record(in.raw(kCacheRecordBytes)));
    covered += kCacheRecordBytes + records.back().length;
  }
  (void)in.u32();
  if (in.u32() != crc32c(checked)) return corrupt("an index is damaged");
  if (covered != record_bytes) return corrupt("an index of other records");
  return records;
}

}  // namespace cairn
