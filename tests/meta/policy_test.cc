#include "common/meta/policy.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(PolicyTest, TextsAreReadAndWrittenBack) {
  const StorageClass defaults{ClassId{1}, "default", {4, 2}, 256 << 10, "host"};
  for (const char* text : {"ec(4,2)", "ec(1,0)", "ec(32,8)", "ec(2,1)/64K", "ec(2,1)/1M", "ec(2,1)/4K", "ec(2,1)/rack",
                           "ec(8,3)/512K/disk"}) {
    const Result<PolicyText> parsed = parse_policy(text);
    ASSERT_TRUE(parsed.ok()) << text;
    const StorageClass made{ClassId{2}, text, parsed->policy, parsed->cell_bytes.value_or(defaults.cell_bytes),
                            parsed->failure_domain.value_or(defaults.failure_domain)};
    EXPECT_TRUE(check_class(made).ok());
    EXPECT_EQ(policy_text(made, defaults), text);
    EXPECT_TRUE(parse_policy(policy_text(made)).ok());
  }
  EXPECT_EQ(*parse_policy("ec(4,2)/65536")->cell_bytes, 65536u);
}

TEST(PolicyTest, NonsenseIsInvalidAndSaysWhy) {
  for (const char* text : {"",
                           "ec",
                           "ec(",
                           "ec(0,2)",
                           "ec(33,1)",
                           "ec(4,9)",
                           "ec(4)",
                           "ec(4,2",
                           "ec(4,2)x",
                           "ec(4,2)/",
                           "ec(4,2)/3K",
                           "ec(4,2)/2M",
                           "ec(4,2)/0",
                           "ec(4,2)/host/host",
                           "ec(4,2)/host/64K",
                           "ec(4,2)/64K/64K",
                           "ec(-1,2)",
                           "ec(4,-2)",
                           "ec(99999999999,1)",
                           "ec(4,2)/4096K",
                           "ec(4,2)/99999999999K"}) {
    const Result<PolicyText> parsed = parse_policy(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.code(), Errc::invalid);
  }
}

}  // namespace
}  // namespace cairn
