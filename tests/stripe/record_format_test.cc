#include "common/stripe/record_format.h"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <sstream>

#include "common/base/checksum.h"
#include "common/base/random.h"

namespace cairn {
namespace {

RecordHeader sample(uint32_t data_bytes = 5000) {
  RecordHeader header;
  header.incarnation = Incarnation{0x1122334455667788};
  header.chunk = ChunkId{0x0102030405060708};
  header.place = 0xa000;
  header.shard = 2;
  header.shape = {{4, 2}, 8192, header_bytes_for(2, 8192), 0b0110};
  header.data_bytes = data_bytes;
  header.writer_epoch = Epoch{9};
  header.owners = {{InodeId{77}, 3, 1 << 20, 8192, 8192}, {InodeId{78}, 1, 0, 16384, 5000}};
  header.shard = 2;
  std::vector<uint8_t> data(data_bytes);
  std::iota(data.begin(), data.end(), uint8_t{0});
  make_tags(header, data);
  return header;
}

std::vector<uint8_t> encoded(const RecordHeader& header) {
  std::vector<uint8_t> bytes(header.shape.header_bytes);
  encode_header(header, bytes);
  return bytes;
}

// Makes the checksum right again, as a hostile or later writer would.
void reseal(std::vector<uint8_t>& bytes) {
  const uint32_t sum = crc32c(std::span(bytes).first(bytes.size() - 4));
  for (size_t i = 0; i < 4; ++i) bytes[bytes.size() - 4 + i] = static_cast<uint8_t>(sum >> (8 * i));
}

ExpectedRecord expected_of(const RecordHeader& header) {
  return {header.incarnation, header.chunk, header.place, header.shard, header.shape};
}

// tests/stripe/golden/record_v1.hex: "offset: hex bytes" for every 16 bytes that are not all zero; '#' begins a
// comment.
std::vector<uint8_t> golden_bytes(const char* name, size_t size) {
  std::ifstream file(std::string(CAIRN_GOLDEN) + "/" + name);
  EXPECT_TRUE(file.is_open());
  std::vector<uint8_t> bytes(size);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream in(line);
    size_t at = 0;
    char colon = 0;
    in >> std::hex >> at >> colon;
    for (unsigned byte = 0; in >> byte;) bytes.at(at++) = static_cast<uint8_t>(byte);
  }
  return bytes;
}

TEST(RecordFormatTest, VersionOneIsTheseBytesForEver) {
  const RecordHeader header = sample();
  const auto golden = golden_bytes("record_v1.hex", 4096);
  EXPECT_EQ(encoded(header), golden);
  const auto decoded = decode_header(golden);
  ASSERT_TRUE(decoded.ok()) << decoded.error().what;
  EXPECT_EQ(*decoded, header);
}

TEST(RecordFormatTest, HeadersComeBackEqual) {
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    RecordHeader header;
    header.incarnation = Incarnation{random()};
    header.chunk = ChunkId{random()};
    header.place = random.below(1 << 20) * 4096;
    header.shape.code = {static_cast<uint8_t>(random.between(1, 32)), static_cast<uint8_t>(random.below(9))};
    header.shape.cell_bytes = static_cast<uint32_t>(random.between(1, 256)) * 4096;
    header.shape.present = header.shape.all_present();
    header.shard = static_cast<uint8_t>(random.below(header.shape.code.shards()));
    header.data_bytes = static_cast<uint32_t>(random.between(1, header.shape.cell_bytes));
    header.writer_epoch = Epoch{random()};
    header.owners.resize(random.below(kMaxOwners + 1));
    for (Owner& owner : header.owners)
      owner = {InodeId{random()}, static_cast<uint32_t>(random()), random() >> 2, 0, 4096};
    header.shape.header_bytes = header_bytes_for(static_cast<uint32_t>(header.owners.size()), header.shape.cell_bytes);
    for (uint32_t block = 0; block * kBlockBytes < header.data_bytes; ++block)
      header.tags.push_back(static_cast<uint32_t>(random()));
    auto bytes = encoded(header);
    bytes.resize(bytes.size() + random.below(100));
    const auto decoded = decode_header(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.error().what;
    ASSERT_EQ(*decoded, header);
  }
}

TEST(RecordFormatTest, HeaderSizesAreTheDocumentedOnes) {
  EXPECT_EQ(header_bytes_for(1, 262144), 4096u);
  EXPECT_EQ(header_bytes_for(117, 262144), 4096u);  // 80 + 117 * 32 + 64 * 4 - 4 spare
  EXPECT_EQ(header_bytes_for(118, 262144), 8192u);
  EXPECT_LE(header_bytes_for(kMaxOwners, kMaxCellBytes), 20480u);
}

TEST(RecordFormatTest, EveryFlippedBitOfAHeaderIsSeen) {
  const auto good = encoded(sample());
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = good;
      bytes[at] ^= static_cast<uint8_t>(1 << bit);
      const auto decoded = decode_header(bytes);
      ASSERT_FALSE(decoded.ok()) << at;
      ASSERT_EQ(decoded.code(), at < 8 ? Errc::invalid : Errc::corrupt) << at;
    }
  }
}

TEST(RecordFormatTest, EveryTruncationIsSeen) {
  const auto good = encoded(sample());
  for (size_t length = 0; length < good.size(); ++length) {
    const auto decoded = decode_header(std::span(good).first(length));
    ASSERT_FALSE(decoded.ok());
    ASSERT_EQ(decoded.code(), length < 8 ? Errc::invalid : Errc::corrupt);
  }
}

TEST(RecordFormatTest, ResealedGarbageIsAnErrorOrARecordThatEncodesToTheSameBytes) {
  const auto good = encoded(sample());
  Random random(3);
  for (int i = 0; i < 100'000; ++i) {
    auto bytes = good;
    for (uint64_t flips = random.between(1, 4); flips > 0; --flips) {
      // Mostly the fixed part, where the lengths are.
      bytes[random.one_in(4) ? random.below(bytes.size() - 4) : random.below(176)] = static_cast<uint8_t>(random());
    }
    reseal(bytes);
    const auto decoded = decode_header(bytes);
    if (decoded.ok()) {
      ASSERT_EQ(encoded(*decoded), bytes);
    }
  }
}

TEST(RecordFormatTest, AHoleIsNoRecord) {
  const std::vector<uint8_t> zeros(8192);
  EXPECT_EQ(decode_header(zeros).code(), Errc::invalid);
  EXPECT_EQ(decode_header({}).code(), Errc::invalid);
}

TEST(RecordFormatTest, TagsDependOnEverythingThatSaysWhereABlockBelongs) {
  const RecordHeader header = sample();
  const std::vector<uint8_t> block(4096, 0x5a);
  const uint32_t tag = block_tag(header, 1, block);
  const auto differs = [&](auto change) {
    RecordHeader other = header;
    change(other);
    return block_tag(other, 1, block) != tag;
  };
  EXPECT_NE(block_tag(header, 0, block), tag);
  EXPECT_TRUE(differs([](RecordHeader& h) { h.incarnation = Incarnation{1}; }));
  EXPECT_TRUE(differs([](RecordHeader& h) { h.chunk = ChunkId{raw(h.chunk) + 1}; }));
  EXPECT_TRUE(differs([](RecordHeader& h) { h.place += 4096; }));
  EXPECT_TRUE(differs([](RecordHeader& h) { h.shard ^= 1; }));
}

TEST(RecordFormatTest, AShortBlockHasTheTagOfItsPaddedForm) {
  const RecordHeader header = sample();
  std::vector<uint8_t> block(1000, 0x11);
  const uint32_t tag = block_tag(header, 0, block);
  block.resize(4096);
  EXPECT_EQ(block_tag(header, 0, block), tag);
}

TEST(RecordFormatTest, TagsMadeInPiecesAreTheSame) {
  std::vector<uint8_t> data(8192 - 17, 0x21);
  RecordHeader whole = sample(), pieces = sample();
  whole.data_bytes = pieces.data_bytes = static_cast<uint32_t>(data.size());
  make_tags(whole, data);
  pieces.tags.clear();
  append_tags(pieces, std::span(data).first(4096));
  append_tags(pieces, std::span(data).subspan(4096));
  EXPECT_EQ(whole.tags, pieces.tags);
}

TEST(RecordFormatTest, BlocksAreVerifiedAndWhatIsNotStoredIsZeros) {
  const RecordHeader header = sample();  // 5000 bytes: two blocks of data, the second padded
  std::vector<uint8_t> cell(5000);
  std::iota(cell.begin(), cell.end(), uint8_t{0});
  cell.resize(8192);
  auto blocks = cell;
  EXPECT_TRUE(verify_blocks(expected_of(header), header, 0, blocks).ok());
  for (const size_t at : {0, 4095, 4096, 4999, 5000, 8191}) {  // the padding is checked too
    blocks = cell;
    blocks[at] ^= 1;
    EXPECT_EQ(verify_blocks(expected_of(header), header, 0, blocks).code(), Errc::corrupt) << at;
  }
  RecordHeader short_one = sample(4096);
  blocks = cell;
  ASSERT_TRUE(verify_blocks(expected_of(short_one), short_one, 0, std::span(blocks).first(4096)).ok());
  std::fill(blocks.begin() + 4096, blocks.end(), uint8_t{0xee});  // behind the record: whatever the server says
  ASSERT_TRUE(verify_blocks(expected_of(short_one), short_one, 4096, std::span(blocks).subspan(4096)).ok());
  EXPECT_EQ(std::count(blocks.begin() + 4096, blocks.end(), 0), 4096);
}

TEST(RecordFormatTest, AnotherRecordIsCorruptHere) {
  const RecordHeader header = sample();
  const auto wrong = [&](auto change) {
    ExpectedRecord expected = expected_of(header);
    change(expected);
    const Status status = verify_identity(expected, header);
    return !status.ok() && status.code() == Errc::corrupt;
  };
  EXPECT_TRUE(verify_identity(expected_of(header), header).ok());
  EXPECT_TRUE(wrong([](ExpectedRecord& e) { e.incarnation = Incarnation{}; }));
  EXPECT_TRUE(wrong([](ExpectedRecord& e) { e.chunk = ChunkId{1}; }));
  EXPECT_TRUE(wrong([](ExpectedRecord& e) { e.place = 0; }));
  EXPECT_TRUE(wrong([](ExpectedRecord& e) { e.shard = 1; }));
  EXPECT_TRUE(wrong([](ExpectedRecord& e) { e.shape.present = 0b1111; }));
  EXPECT_TRUE(wrong([](ExpectedRecord& e) { e.shape.code.m = 1; }));
  RecordHeader compressed = header;
  compressed.codec = 1;
  EXPECT_FALSE(verify_identity(expected_of(header), compressed).ok());
}

}  // namespace
}  // namespace cairn
