// The header of a stripe's record, a whole record as an append brings it, and the check of a shard's file.
//
//   input: mode | seed of a good record | places and bytes to change | whether the checksum is made right again
//
// Random bytes do not pass a checksum: good records are changed, and their checksum mended.
#include <algorithm>
#include <cstring>

#include "chunkserver/record_check.h"
#include "chunkserver/shard_check.h"
#include "common/base/bytes.h"
#include "common/base/checksum.h"
#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

constexpr Incarnation kIncarnation{77};
constexpr ShardKey kKey{ChunkId{9}, 1};

std::vector<uint8_t> make_record(Input& input, uint64_t place) {
  RecordHeader header;
  header.incarnation = kIncarnation;
  header.chunk = kKey.chunk;
  header.shard = kKey.shard;
  header.place = place;
  header.writer_epoch = Epoch{3};
  header.shape = {.code = {static_cast<uint8_t>(2 + input.below(4)), 2}, .cell_bytes = kBlockBytes << input.below(2)};
  header.shape.present = header.shape.all_present();
  const uint32_t owners = input.below(16) * input.below(16);
  header.shape.header_bytes = header_bytes_for(owners, header.shape.cell_bytes) + kBlockBytes * input.below(2);
  header.data_bytes = 1 + input.u16() % header.shape.cell_bytes;
  for (uint32_t i = 0; i < owners; ++i) header.owners.push_back({InodeId{i + 2}, 0, i * 10ull, i * 10, 10});
  std::vector<uint8_t> record(stored_bytes(header));
  const auto cell = std::span(record).subspan(header.shape.header_bytes, header.data_bytes);
  std::memset(cell.data(), 0x5a, cell.size());
  make_tags(header, cell);
  encode_header(header, std::span(record).first(header.shape.header_bytes));
  return record;
}

void mend_checksum(std::span<uint8_t> record, uint32_t header_bytes) {
  if (header_bytes < 8 || header_bytes > record.size()) return;
  const uint32_t checksum = crc32c(record.first(header_bytes - 4));
  for (size_t i = 0; i < 4; ++i) record[header_bytes - 4 + i] = static_cast<uint8_t>(checksum >> (8 * i));
}

// Changes bytes, most of them in the fixed fields, and mends the checksum of the length that the header then claims.
void damage(std::vector<uint8_t>& record, Input& input) {
  for (uint32_t n = input.below(6); n > 0; --n) {
    const size_t at = input.flip() ? input.u16() : input.u8();
    if (at < record.size()) record[at] = input.u8();
  }
  if (input.rarely()) record.resize(input.u32() % (record.size() + 1));
  if (record.size() < 16 || input.rarely()) return;
  mend_checksum(record, ByteReader(std::span<const uint8_t>(record).subspan(12, 4)).u32());
}

void check_bytes(std::vector<uint8_t> bytes) {
  const auto header = decode_header(bytes);
  const RecordPlace where{kIncarnation, kKey, 8192};
  const Status checked = check_record(bytes, where);
  if (!header.ok()) {
    require(header.code() == Errc::corrupt || header.code() == Errc::invalid, "a wrong header is corrupt or invalid");
    return require(!checked.ok(), "no record without a header");
  }
  require(valid(header->shape) && header->shape.header_bytes <= bytes.size(), "a header that was accepted is usable");
  std::vector<uint8_t> again(header->shape.header_bytes);
  encode_header(*header, again);
  require(std::equal(again.begin(), again.end(), bytes.begin()), "a header is written as it was read");
  if (!checked.ok()) return;
  require(check_identity(*header, where).ok() && stored_bytes(*header) == bytes.size(), "a record fills its append");
  const ExpectedRecord expected{header->incarnation, header->chunk, header->place, header->shard, header->shape};
  std::span<uint8_t> cell = std::span(bytes).subspan(header->shape.header_bytes);
  if (!verify_blocks(expected, *header, 0, cell).ok()) return;
  cell[0] ^= 1;
  require(!verify_blocks(expected, *header, 0, cell).ok(), "a flipped bit is noticed");
}

// A file of bytes, with holes where its blocks are zeros.
class BytesFile : public File {
 public:
  explicit BytesFile(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t n = std::min<size_t>(into.size(), bytes_.size() - offset);
    std::memcpy(into.data(), bytes_.data() + offset, n);
    return n;
  }
  Result<uint64_t> next_data(uint64_t offset) override {
    const auto zero = [](uint8_t byte) { return byte == 0; };
    for (uint64_t block = offset / kBlockBytes * kBlockBytes; block < bytes_.size(); block += kBlockBytes) {
      const auto rest = std::span(bytes_).subspan(block);
      const auto one = rest.first(std::min<size_t>(kBlockBytes, rest.size()));
      if (!std::all_of(one.begin(), one.end(), zero)) return std::max(block, offset);
    }
    return Error{Errc::not_found, "only a hole follows"};
  }
  Result<uint64_t> size() override { return bytes_.size(); }
  Result<uint64_t> allocated() override { return bytes_.size(); }
  Status write_at(uint64_t, std::span<const iovec>) override { return {Errc::io, "only read"}; }
  Status sync_data() override { return {Errc::io, "only read"}; }
  Status truncate(uint64_t) override { return {Errc::io, "only read"}; }
  Status preallocate(uint64_t, uint64_t) override { return {Errc::io, "only read"}; }
  Status punch(uint64_t, uint64_t) override { return {Errc::io, "only read"}; }

 private:
  std::vector<uint8_t> bytes_;
};

void check_file(Input& input) {
  std::vector<uint8_t> bytes;
  const uint32_t records = input.below(4);
  for (uint32_t i = 0; i < records; ++i) {
    std::vector<uint8_t> record = make_record(input, bytes.size());
    damage(record, input);
    bytes.insert(bytes.end(), record.begin(), record.end());
    if (input.flip()) bytes.resize((bytes.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
    if (input.rarely()) bytes.resize(bytes.size() + kBlockBytes * input.below(16));
  }
  const uint64_t end = input.mostly(uint64_t{bytes.size()}) % (2 * kMaxShardBytes);
  std::optional<uint64_t> committed;
  if (input.flip()) committed = input.mostly(end);
  BytesFile file(std::move(bytes));
  uint64_t steps = 0;
  const auto report = check_shard(file, kIncarnation, kKey, end, committed, [&] { return ++steps < 100'000; });
  require(report.ok(), "a file that can be read can be checked");
  require(steps < 1000, "the check of a small file ends soon");
  require(report->records <= steps && report->bad_records <= steps, "each step finds one thing");
  require(!report->first_bad || *report->first_bad < end, "damage lies within the shard");
}

void one(Bytes bytes) {
  Input input(bytes);
  switch (input.below(3)) {
    case 0: {
      std::vector<uint8_t> record = make_record(input, 8192);
      damage(record, input);
      return check_bytes(std::move(record));
    }
    case 1:
      return check_file(input);
    default: {
      const Bytes rest = input.rest();
      return check_bytes({rest.begin(), rest.end()});
    }
  }
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  std::string whole = "\x02";
  Input input({});
  const auto record = make_record(input, 8192);
  whole.append(record.begin(), record.end());
  return {
      "\x00\x01\x02\x05\x01\x10\x20"s, "\x00\x00\x00\x01\x00\xff\xff\x02\x00\x30\x01\x00\x34\xff"s,
      "\x00\x03\x03\xc0\x01\x40\x00\x03\x00\x40\x07\x00\x44\x09\x01\x01\x00\xff"s,
      "\x01\x03\x01\x01\x05\x00\x10\x20\x00\x00\x00\x01\x01\x01\x05\x00\x10\x20\x01\x00\x20\xff\x00\x00\x01\x00\x01"s,
      whole};
}

const Registered registered{{"record", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz
