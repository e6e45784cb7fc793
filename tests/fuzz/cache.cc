// The bytes of the block cache's files: headers of records and the index of a segment.
//
//   input: mode | what to build | places and bytes to change        or bytes as they are
#include <algorithm>

#include "client/cache/cache_record.h"
#include "common/base/bytes.h"
#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

void check_header(Bytes bytes) {
  const auto record = decode_cache_record(bytes);
  if (!record.ok()) return require(record.code() == Errc::corrupt, "a wrong header is corrupt");
  require(record->length > 0 && record->length <= kPieceBytes, "a header that was accepted is usable");
  require(encode_cache_record(*record) == text_of(bytes), "a header is written as it was read");
}

void check_index(Bytes bytes, uint64_t record_bytes) {
  const auto records = decode_cache_index(bytes, record_bytes);
  if (!records.ok()) return require(records.code() == Errc::corrupt, "a wrong index is corrupt");
  require(encode_cache_index(*records) == text_of(bytes), "an index is written as it was read");
  uint64_t covered = 0;
  for (const CacheRecord& record : *records) covered += kCacheRecordBytes + record.length;
  require(covered == record_bytes, "an index that was accepted fills its file");
  const auto length = cache_index_bytes(bytes.last(kIndexTailBytes));
  require(length.ok() && *length == bytes.size(), "the tail of an index tells its length");
}

CacheRecord make_record(Input& input) {
  CacheRecord record;
  record.incarnation = Incarnation{input.number()};
  record.key = {ChunkId{input.number()}, input.number(), static_cast<uint32_t>(input.below(64) * kPieceBytes)};
  record.length = input.mostly(1 + input.below(kPieceBytes));
  record.checksum = input.u32();
  return record;
}

void one(Bytes bytes) {
  Input input(bytes);
  const uint32_t mode = input.below(4);
  if (mode == 2) return check_header(input.rest());
  if (mode == 3) {
    const uint64_t record_bytes = input.u32();
    return check_index(input.rest(), record_bytes);
  }
  std::vector<CacheRecord> records;
  uint64_t covered = 0;
  for (uint32_t n = mode == 0 ? 1 : input.below(8); n > 0; --n) {
    records.push_back(make_record(input));
    covered += kCacheRecordBytes + records.back().length;
  }
  std::string text = mode == 0 ? encode_cache_record(records[0]) : encode_cache_index(records);
  for (uint32_t n = input.below(4); n > 0; --n) text[input.u16() % text.size()] = static_cast<char>(input.u8());
  if (input.rarely()) text.resize(input.u16() % (text.size() + 1));
  if (mode == 0) return check_header(bytes_of(text));
  check_index(bytes_of(text), input.mostly(covered));
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  const CacheRecord record{Incarnation{7}, {ChunkId{3}, 4096, kPieceBytes}, 4096, 0x12345678};
  return {"\x00\x01\x02\x03\x04\x05\x06\x07"s, "\x01\x03\x10\x20\x30\x01\x01\x01\x01\x44\x44\x44\x44"s,
          "\x02"s + encode_cache_record(record),
          "\x03\x00\x00\x10\x34"s + encode_cache_index(std::vector<CacheRecord>{record})};
}

const Registered registered{{"cache", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz
