#include "common/stripe/record_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "common/base/checksum.h"

namespace cairn {

namespace {

// docs/on_disk_format.md has this table in words.
constexpr std::array<uint8_t, 8> kMagic = {'C', 'A', 'I', 'R', 'N', 'R', 'E', 'C'};
constexpr uint16_t kVersion = 1;
constexpr size_t kVersionAt = 8, kFixedBytesAt = 10, kHeaderBytesAt = 12, kIncarnationAt = 16, kChunkAt = 24,
                 kPlaceAt = 32, kWriterEpochAt = 40, kCellBytesAt = 48, kDataBytesAt = 52, kPresentAt = 56,
                 kDataShardsAt = 60, kParityShardsAt = 61, kShardAt = 62, kCodecAt = 63, kKeyIdAt = 64, kTagTypeAt = 68,
                 kTagBytesAt = 69, kOwnersAt = 70, kTagsAt = 72, kReservedAt = 76;
constexpr size_t kFixedBytes = 80;
constexpr size_t kOwnerBytes = 32;
constexpr size_t kTagBytes = 4;
constexpr size_t kChecksumBytes = 4;  // the header's last four, over everything before them

template <typename T>
void put(std::span<uint8_t> out, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out[at + i] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
}

template <typename T>
T get(std::span<const uint8_t> bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= uint64_t{bytes[at + i]} << (8 * i);
  return static_cast<T>(value);
}

uint32_t blocks_of(uint32_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes; }

size_t used_bytes(size_t owners, size_t tags) {
  return kFixedBytes + owners * kOwnerBytes + tags * kTagBytes + kChecksumBytes;
}

Error damaged(std::string_view what) { return {Errc::corrupt, fmt::format("record header: {}", what)}; }

std::span<const uint8_t> zero_block() {
  static constexpr std::array<uint8_t, kBlockBytes> zeros{};
  return zeros;
}

// Everything that says where a block belongs, but for its index.
uint32_t tag_seed(const RecordHeader& header) {
  std::array<uint8_t, 25> identity;
  put(identity, 0, raw(header.incarnation));
  put(identity, 8, raw(header.chunk));
  put(identity, 16, header.place);
  put(identity, 24, header.shard);
  return crc32c(identity);
}

uint32_t tag_of(uint32_t seed, uint32_t block, std::span<const uint8_t> bytes) {
  std::array<uint8_t, 4> index;
  put(index, 0, block);
  uint32_t tag = crc32c(bytes, crc32c(index, seed));
  if (bytes.size() < kBlockBytes) tag = crc32c(zero_block().subspan(bytes.size()), tag);
  return tag;
}

// The cell of this record holds data of the stripe, or parity.
bool holds_cell(const RecordHeader& header) {
  return header.shard >= header.shape.code.d || (header.shape.present >> header.shard & 1) != 0;
}

}  // namespace

uint32_t header_bytes_for(uint32_t owners, uint32_t cell_bytes) {
  const size_t used = used_bytes(owners, blocks_of(cell_bytes));
  return static_cast<uint32_t>((used + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
}

void encode_header(const RecordHeader& header, std::span<uint8_t> out) {
  assert(out.size() == header.shape.header_bytes);
  assert(used_bytes(header.owners.size(), header.tags.size()) <= out.size());
  assert(header.owners.size() <= kMaxOwners && header.tags.size() == blocks_of(header.data_bytes));
  std::memset(out.data(), 0, out.size());
  std::copy(kMagic.begin(), kMagic.end(), out.begin());
  put(out, kVersionAt, kVersion);
  put(out, kFixedBytesAt, static_cast<uint16_t>(kFixedBytes));
  put(out, kHeaderBytesAt, header.shape.header_bytes);
  put(out, kIncarnationAt, raw(header.incarnation));
  put(out, kChunkAt, raw(header.chunk));
  put(out, kPlaceAt, header.place);
  put(out, kWriterEpochAt, raw(header.writer_epoch));
  put(out, kCellBytesAt, header.shape.cell_bytes);
  put(out, kDataBytesAt, header.data_bytes);
  put(out, kPresentAt, header.shape.present);
  put(out, kDataShardsAt, header.shape.code.d);
  put(out, kParityShardsAt, header.shape.code.m);
  put(out, kShardAt, header.shard);
  put(out, kCodecAt, header.codec);
  put(out, kKeyIdAt, header.key_id);
  put(out, kTagTypeAt, static_cast<uint8_t>(TagType::crc32c));
  put(out, kTagBytesAt, static_cast<uint8_t>(kTagBytes));
  put(out, kOwnersAt, static_cast<uint16_t>(header.owners.size()));
  put(out, kTagsAt, static_cast<uint32_t>(header.tags.size()));
  size_t at = kFixedBytes;
  for (const Owner& owner : header.owners) {
    put(out, at, raw(owner.inode));
    put(out, at + 8, owner.offset);
    put(out, at + 16, owner.generation);
    put(out, at + 20, owner.position);
    put(out, at + 24, owner.length);  // and four bytes of zeros
    at += kOwnerBytes;
  }
  for (const uint32_t tag : header.tags) {
    put(out, at, tag);
    at += kTagBytes;
  }
  const size_t checksum_at = out.size() - kChecksumBytes;
  put(out, checksum_at, crc32c(out.first(checksum_at)));
}

Result<RecordHeader> decode_header(std::span<const uint8_t> bytes) {
  if (bytes.size() < kMagic.size() || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
    return Error{Errc::invalid, "record header: no record begins here"};
  }
  if (bytes.size() < kFixedBytes) return damaged("cut short");
  const auto header_bytes = get<uint32_t>(bytes, kHeaderBytesAt);
  if (header_bytes == 0 || header_bytes > kMaxHeaderBytes || header_bytes % kBlockBytes != 0)
    return damaged("impossible length");
  if (bytes.size() < header_bytes) return damaged("cut short");
  bytes = bytes.first(header_bytes);
  const size_t checksum_at = header_bytes - kChecksumBytes;
  if (get<uint32_t>(bytes, checksum_at) != crc32c(bytes.first(checksum_at)))
    return damaged("its checksum does not match");

  // What follows was written by someone who knows the checksum; a later version, perhaps.
  if (get<uint16_t>(bytes, kVersionAt) != kVersion || get<uint16_t>(bytes, kFixedBytesAt) != kFixedBytes) {
    return damaged(fmt::format("version {} is unknown to this program", get<uint16_t>(bytes, kVersionAt)));
  }
  if (get<uint8_t>(bytes, kTagTypeAt) != static_cast<uint8_t>(TagType::crc32c) ||
      get<uint8_t>(bytes, kTagBytesAt) != kTagBytes) {
    return damaged("its type of tags is unknown to this program");
  }
  RecordHeader header;
  header.incarnation = get<Incarnation>(bytes, kIncarnationAt);
  header.chunk = get<ChunkId>(bytes, kChunkAt);
  header.place = get<uint64_t>(bytes, kPlaceAt);
  header.writer_epoch = get<Epoch>(bytes, kWriterEpochAt);
  header.shape.header_bytes = header_bytes;
  header.shape.cell_bytes = get<uint32_t>(bytes, kCellBytesAt);
  header.shape.present = get<uint32_t>(bytes, kPresentAt);
  header.shape.code = {get<uint8_t>(bytes, kDataShardsAt), get<uint8_t>(bytes, kParityShardsAt)};
  header.data_bytes = get<uint32_t>(bytes, kDataBytesAt);
  header.shard = get<uint8_t>(bytes, kShardAt);
  header.codec = get<uint8_t>(bytes, kCodecAt);
  header.key_id = get<uint32_t>(bytes, kKeyIdAt);
  const size_t owners = get<uint16_t>(bytes, kOwnersAt);
  const size_t tags = get<uint32_t>(bytes, kTagsAt);
  if (!valid(header.shape) || header.shard >= header.shape.code.shards() || !holds_cell(header))
    return damaged("impossible shape");
  if (header.data_bytes == 0 || header.data_bytes > header.shape.cell_bytes)
    return damaged("impossible length of its data");
  if (owners > kMaxOwners || tags != blocks_of(header.data_bytes) || used_bytes(owners, tags) > header_bytes) {
    return damaged("impossible number of owners or tags");
  }
  if (get<uint32_t>(bytes, kReservedAt) != 0) return damaged("reserved bytes are not zero");

  size_t at = kFixedBytes;
  header.owners.resize(owners);
  for (Owner& owner : header.owners) {
    owner.inode = get<InodeId>(bytes, at);
    owner.offset = get<uint64_t>(bytes, at + 8);
    owner.generation = get<uint32_t>(bytes, at + 16);
    owner.position = get<uint32_t>(bytes, at + 20);
    owner.length = get<uint32_t>(bytes, at + 24);
    if (get<uint32_t>(bytes, at + 28) != 0) return damaged("reserved bytes are not zero");
    const uint64_t end = uint64_t{owner.position} + owner.length;
    if (owner.length == 0 || end > header.shape.data_bytes() || owner.offset > INT64_MAX - uint64_t{owner.length}) {
      return damaged("an owner's range is impossible");
    }
    at += kOwnerBytes;
  }
  header.tags.resize(tags);
  for (uint32_t& tag : header.tags) {
    tag = get<uint32_t>(bytes, at);
    at += kTagBytes;
  }
  const auto spare = bytes.subspan(at, checksum_at - at);
  for (size_t done = 0; done < spare.size(); done += kBlockBytes) {
    const size_t length = std::min<size_t>(kBlockBytes, spare.size() - done);
    if (std::memcmp(&spare[done], zero_block().data(), length) != 0) return damaged("reserved bytes are not zero");
  }
  return header;
}

uint32_t block_tag(const RecordHeader& header, uint32_t block, std::span<const uint8_t> bytes) {
  assert(bytes.size() <= kBlockBytes);
  return tag_of(tag_seed(header), block, bytes);
}

void make_tags(RecordHeader& header, std::span<const uint8_t> data) {
  assert(data.size() == header.data_bytes);
  header.tags.clear();
  append_tags(header, data);
}

void append_tags(RecordHeader& header, std::span<const uint8_t> data) {
  const uint32_t seed = tag_seed(header);
  header.tags.reserve(blocks_of(header.data_bytes));
  while (!data.empty()) {
    const size_t length = std::min<size_t>(kBlockBytes, data.size());
    header.tags.push_back(tag_of(seed, static_cast<uint32_t>(header.tags.size()), data.first(length)));
    data = data.subspan(length);
  }
}

Status verify_identity(const ExpectedRecord& expected, const RecordHeader& header) {
  const auto wrong = [&](std::string_view what) {
    return Status(Errc::corrupt,
                  fmt::format("another record lies here: its {} is wrong (it is shard {} of chunk {} at place {})",
                              what, header.shard, raw(header.chunk), header.place));
  };
  if (header.incarnation != expected.incarnation) return wrong("incarnation");
  if (header.chunk != expected.chunk) return wrong("chunk");
  if (header.place != expected.place) return wrong("place");
  if (header.shard != expected.shard) return wrong("shard");
  if (header.shape != expected.shape) return wrong("shape");
  if (header.codec != 0 || header.key_id != 0) {
    return {Errc::corrupt, fmt::format("codec {} with key {} is unknown to this program", header.codec, header.key_id)};
  }
  return {};
}

Status verify_blocks(const ExpectedRecord& expected, const RecordHeader& header, uint32_t cell_offset,
                     std::span<uint8_t> blocks) {
  assert(cell_offset % kBlockBytes == 0);
  TRY(verify_identity(expected, header));
  const uint32_t seed = tag_seed(header);
  uint32_t block = cell_offset / kBlockBytes;
  for (; !blocks.empty(); ++block) {
    const size_t length = std::min<size_t>(kBlockBytes, blocks.size());
    const auto bytes = blocks.first(length);
    if (block >= header.tags.size()) {
      std::memset(blocks.data(), 0, blocks.size());
      return {};
    }
    if (tag_of(seed, block, bytes) != header.tags[block]) {
      return {Errc::corrupt, fmt::format("block {} of the cell does not match its checksum", block)};
    }
    blocks = blocks.subspan(length);
  }
  return {};
}

}  // namespace cairn
