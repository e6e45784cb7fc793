// The bytes of partials, as version 1 has them: workers and mergers of different builds talk to each other.
#include <gtest/gtest.h>

#include "common/base/checksum.h"
#include "tests/tasks/cuts.h"
#include "tests/tasks/partials.h"

namespace cairn::tasks {
namespace {

// The length of a partial, and the checksum that it ends with.
std::string digest_of(const std::string& op_name, const Arguments& arguments) {
  const std::string text = "v,g\n1,\"x\ny\"\n-2.5,b\n,b\n0.1,\"x\ny\"\n7,c\n";
  const auto op = make_operator(job_of(op_name, arguments, {text}));
  Partials partials(**op);
  const auto partial = partials.empty();
  const Split split{0, (*op)->needs().whole_files ? 0 : 2u, text.size()};
  EXPECT_TRUE(map_text(*partial, split, text, 5).ok());
  EXPECT_TRUE(partial->settle().ok());
  const std::string bytes = encode_partial(**op, *partial);
  return std::to_string(bytes.size()) + " " +
         std::to_string(crc32c(bytes_of(std::string_view(bytes).substr(0, bytes.size() - 4))));
}

TEST(PartialGoldenTest, AChangeOfTheseBytesNeedsANewVersion) {
  EXPECT_EQ(digest_of("wc", {}), "68 3209378850");
  EXPECT_EQ(digest_of("checksum", {}), "46 1688621631");
  EXPECT_EQ(digest_of("checksum", {{"algorithm", "sha256"}}), "117 2231393472");
  EXPECT_EQ(digest_of("grep", {{"pattern", "b"}}), "121 2386972520");
  EXPECT_EQ(digest_of("grep", {{"pattern", "b"}, {"count", "true"}}), "93 3089842752");
  EXPECT_EQ(digest_of("sort", {{"column", "g"}}), "96 1773368130");
  EXPECT_EQ(digest_of("stats", {{"column", "v"}, {"group-by", "g"}, {"quantiles", "0.5"}, {"histogram", "0:9:3"}}),
            "448 2650711616");
  EXPECT_EQ(digest_of("top", {{"column", "v"}, {"rows", "2"}}), "134 1595327459");
  EXPECT_EQ(digest_of("top", {{"column", "g"}, {"frequent", "true"}}), "118 1484763301");
  EXPECT_EQ(digest_of("bsearch", {{"key", "b"}, {"column", "g"}}), "171 4021333226");
  EXPECT_EQ(digest_of("dedup-report", {{"block", "512"}}), "121 2778883264");
}

}  // namespace
}  // namespace cairn::tasks
