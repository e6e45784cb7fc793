#include "common/base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(ConfigTest, SizesAreReadInPowersOf1024) {
  EXPECT_EQ(*parse_size("0"), 0u);
  EXPECT_EQ(*parse_size("4096"), 4096u);
  EXPECT_EQ(*parse_size("256K"), 256u << 10);
  EXPECT_EQ(*parse_size("64MiB"), 64u << 20);
  EXPECT_EQ(*parse_size("2T"), uint64_t{2} << 40);
  for (const char* bad : {"", "K", "-1", "1 K", "1k", "1B", "10KB", "1.5G", "99999999999999999999", "17179869184G"}) {
    const auto parsed = parse_size(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.code(), Errc::invalid);
    EXPECT_THAT(parsed.error().what, HasSubstr(bad));
  }
}

TEST(ConfigTest, FormattedSizesReadBack) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{1000}, uint64_t{4096}, uint64_t{1} << 20,
                               (uint64_t{1} << 40) * 3, ~uint64_t{0}}) {
    EXPECT_EQ(*parse_size(format_size(bytes)), bytes);
  }
  EXPECT_EQ(format_size(262144), "256K");
}

TEST(ConfigTest, DurationsHaveUnits) {
  EXPECT_EQ(*parse_duration("0"), 0s);
  EXPECT_EQ(*parse_duration("10s"), 10s);
  EXPECT_EQ(*parse_duration("10m"), 10min);
  EXPECT_EQ(*parse_duration("500ms"), 500ms);
  EXPECT_EQ(*parse_duration("7d"), 7 * 24h);
  for (const char* bad : {"", "10", "s", "10 s", "-1s", "1.5s", "1w", "101y", "99999999999d", "40000d"}) {
    EXPECT_FALSE(parse_duration(bad).ok()) << bad;
  }
  for (const Duration one : {Duration{0}, Duration{1500ms}, Duration{10min}, Duration{1}, Duration{48h}}) {
    EXPECT_EQ(*parse_duration(format_duration(one)), one);
  }
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(10min), "10m");
}

TEST(ConfigTest, AddressesHaveAHostAndAPort) {
  EXPECT_EQ(*parse_address("127.0.0.1:4000"), (Address{"127.0.0.1", 4000}));
  EXPECT_EQ(*parse_address("meta:0"), (Address{"meta", 0}));
  EXPECT_EQ(*parse_address("[::1]:80"), (Address{"::1", 80}));
  for (const char* bad :
       {"", "host", ":80", "host:", "host:x", "host:65536", "host:1x", "::1:80", "[]:80", "[[::1]]:80", "[a:80"}) {
    EXPECT_FALSE(parse_address(bad).ok()) << bad;
  }
  for (const char* good : {"meta:0", "10.0.0.1:4000", "[::1]:80"}) EXPECT_EQ(parse_address(good)->text(), good);
}

TEST(ConfigTest, PoliciesNameTheirCode) {
  EXPECT_EQ(*parse_code("ec(4,2)"), (Code{4, 2}));
  EXPECT_EQ(*parse_code("ec(32,8)"), (Code{32, 8}));
  EXPECT_EQ(*parse_code("ec(1,0)"), (Code{1, 0}));
  EXPECT_EQ(format_code({1, 2}), "ec(1,2)");
  for (const char* bad : {"", "ec", "ec()", "ec(4)", "ec(4,2", "ec(4,2) ", "ec(0,2)", "ec(33,2)", "ec(4,9)", "ec(-4,2)",
                          "ec(4,,2)", "EC(4,2)", "ec(260,2)", "rs(4,2)"}) {
    EXPECT_FALSE(parse_code(bad).ok()) << bad;
  }
  EXPECT_THAT(parse_code("ec(33,2)").error().what, HasSubstr("1 to 32"));
  EXPECT_THAT(parse_code("raid6").error().what, HasSubstr("ec(4,2)"));
}

}  // namespace
}  // namespace cairn
