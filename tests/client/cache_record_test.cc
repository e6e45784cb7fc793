#include "client/cache/cache_record.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/random.h"

namespace cairn {
namespace {

CacheRecord record(uint64_t n, uint32_t length) {
  return {
      Incarnation{0x0102030405060708}, {ChunkId{n}, n * 4096, static_cast<uint32_t>(n * kPieceBytes)}, length, 0xabcd};
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<uint8_t>(byte) >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

TEST(CacheRecordTest, GoldenBytesOfVersion1) {
  EXPECT_EQ(hex(encode_cache_record(record(3, 4096))),
            "434149524e434348010000000010000008070605040302010300000000000000003000000000000000000600cdab0000b0195d89");
  EXPECT_EQ(piece_checksum(Incarnation{1}, {ChunkId{2}, 3, 4}, bytes_of("cairn")), 2691274601u);
}

TEST(CacheRecordTest, AHeaderWithAnyByteFlippedIsRefused) {
  const std::string good = encode_cache_record(record(3, 4096));
  ASSERT_EQ(good.size(), kCacheRecordBytes);
  ASSERT_EQ(*decode_cache_record(bytes_of(good)), record(3, 4096));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_EQ(decode_cache_record(bytes_of(bad)).code(), Errc::corrupt) << "byte " << i;
    EXPECT_FALSE(decode_cache_record(bytes_of(good).first(i)).ok());
  }
  EXPECT_FALSE(decode_cache_record(bytes_of(encode_cache_record(record(3, 0)))).ok());
  EXPECT_FALSE(decode_cache_record(bytes_of(encode_cache_record(record(3, kPieceBytes + 1)))).ok());
}

TEST(CacheRecordTest, AnIndexIsReadAsItWasWrittenOrRefused) {
  const std::vector<CacheRecord> records = {record(1, 100), record(2, 200), record(3, kPieceBytes)};
  const uint64_t covered = 3 * kCacheRecordBytes + 300 + kPieceBytes;
  const std::string index = encode_cache_index(records);
  EXPECT_EQ(*cache_index_bytes(bytes_of(index).last(kIndexTailBytes)), index.size());
  EXPECT_EQ(*decode_cache_index(bytes_of(index), covered), records);
  EXPECT_FALSE(decode_cache_index(bytes_of(index), covered + 1).ok());
  for (size_t i = 0; i < index.size(); ++i) {
    std::string bad = index;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(decode_cache_index(bytes_of(bad), covered).ok()) << "byte " << i;
    EXPECT_FALSE(decode_cache_index(bytes_of(index).first(i), covered).ok());
  }
}

TEST(CacheRecordTest, APieceIsBoundToItsIdentity) {
  const auto piece = bytes_of("what is cached");
  const PieceKey key{ChunkId{5}, 4096, 8192};
  const uint32_t right = piece_checksum(Incarnation{1}, key, piece);
  EXPECT_NE(right, piece_checksum(Incarnation{2}, key, piece));
  EXPECT_NE(right, piece_checksum(Incarnation{1}, {ChunkId{6}, 4096, 8192}, piece));
  EXPECT_NE(right, piece_checksum(Incarnation{1}, {ChunkId{5}, 8192, 8192}, piece));
  EXPECT_NE(right, piece_checksum(Incarnation{1}, {ChunkId{5}, 4096, 0}, piece));
  EXPECT_NE(right, piece_checksum(Incarnation{1}, key, piece.first(5)));
}

TEST(CacheRecordTest, PiecesEndAtMultiplesOfTheirSize) {
  EXPECT_EQ(piece_end(0, 1 << 20), kPieceBytes);
  EXPECT_EQ(piece_end(8192, 1 << 20), kPieceBytes);
  EXPECT_EQ(piece_end(kPieceBytes, kPieceBytes + 10), kPieceBytes + 10);
}

}  // namespace
}  // namespace cairn
