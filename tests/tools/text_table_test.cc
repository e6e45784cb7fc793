#include "tools/cairn/text_table.h"

#include <gmock/gmock.h>

namespace cairn::tools {
namespace {

TEST(TextTableTest, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(text_table({{"who", ">bytes"}, {"a", "1"}, {"longer", "12345678"}}),
            "  who        bytes\n"
            "  a              1\n"
            "  longer  12345678\n");
  EXPECT_EQ(text_table({}), "");
}

TEST(TextTableTest, BytesAreGivenInTheUnitThatFits) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes((1u << 20) - 1), "1.0 MiB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "16.0 EiB");
}

TEST(TextTableTest, TimesAndCountsReadAsAPersonSaysThem) {
  EXPECT_EQ(human_milliseconds(1234), "1.2 s");
  EXPECT_EQ(human_milliseconds(61'000), "1 min 1 s");
  EXPECT_EQ(human_milliseconds(90'000'000), "1 d 1 h");
  EXPECT_EQ(counted(1, "chunk"), "1 chunk");
  EXPECT_EQ(counted(0, "chunk"), "0 chunks");
}

}  // namespace
}  // namespace cairn::tools
