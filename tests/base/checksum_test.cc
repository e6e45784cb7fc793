#include "common/base/checksum.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/base/random.h"

namespace cairn {
namespace {

// The definition, bit by bit.
uint32_t crc32c_by_hand(std::string_view text) {
  uint32_t state = 0xffffffff;
  for (const char c : text) {
    state ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ (state & 1 ? 0x82f63b78u : 0);
  }
  return ~state;
}

TEST(ChecksumTest, TheStandardVectorsHold) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\0'))), 0x8a9136aau);    // RFC 3720, B.4
  EXPECT_EQ(crc32c(bytes_of(std::string(32, '\xff'))), 0x62a8ab43u);  // RFC 3720, B.4
}

TEST(ChecksumTest, EveryLengthAndAlignmentAgreesWithTheDefinition) {
  Random random(7);
  std::string bytes(4200, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t start = 0; start < 16; ++start) {
    for (const size_t length : {0, 1, 7, 8, 63, 64, 65, 255, 512, 1023, 4096}) {
      const std::string_view part = std::string_view(bytes).substr(start, length);
      EXPECT_EQ(crc32c(bytes_of(part)), crc32c_by_hand(part)) << start << " " << length;
    }
  }
}

TEST(ChecksumTest, TheSeedContinuesAnEarlierChecksum) {
  const std::string_view text = "a cairn stands although stones are taken away";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc32c(bytes_of(text.substr(cut)), crc32c(bytes_of(text.substr(0, cut)))), crc32c(bytes_of(text)));
  }
  EXPECT_NE(crc32c(bytes_of(text), 1), crc32c(bytes_of(text), 2));
}

TEST(ChecksumTest, ChecksumsOfNeighboursCombine) {
  const std::string text = "a cairn stands although stones are taken away";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t first = crc32c(bytes_of(text.substr(0, cut))), second = crc32c(bytes_of(text.substr(cut)));
    EXPECT_EQ(crc32c_combine(first, second, text.size() - cut), crc32c(bytes_of(text)));
  }
  // Lengths that nobody checksums: doubling a range of zeros, 2^56 times, in two ways.
  uint32_t zeros = crc32c(bytes_of(std::string(1, '\0'))), more = zeros;
  for (uint64_t length = 1; length < uint64_t{1} << 56; length *= 2) zeros = crc32c_combine(zeros, zeros, length);
  const std::string byte(1, '\0');
  more = crc32c_combine(more, zeros, uint64_t{1} << 56);
  EXPECT_EQ(more, crc32c(bytes_of(byte), zeros));
}

}  // namespace
}  // namespace cairn
