// What is wrong with a job is told before anything runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tasks/cuts.h"

namespace cairn::tasks {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& op, const Arguments& arguments, const std::string& text = "v,city\n1,x\n") {
  const auto made = make_operator(job_of(op, arguments, {text}));
  return made.ok() ? "none" : made.error().what;
}

TEST(ArgumentsTest, ErrorsNameTheOptionTheFileAndWhatWouldBeRight) {
  EXPECT_THAT(
      make_operator({"count", {}, {{"f", 0, ""}}}).error().what,
      HasSubstr("bsearch, checksum, convert, dedup-report, exec, generate, grep, read, sort, stats, top, wc, write"));
  EXPECT_THAT(make_operator({"wc", {}, {}}).error().what, HasSubstr("0 files"));
  EXPECT_THAT(error_of("wc", {{"column", "v"}}), HasSubstr("wc has no option \"column\""));
  EXPECT_THAT(error_of("stats", {}), HasSubstr("stats needs --column NAME"));
  EXPECT_THAT(error_of("stats", {{"column", "amout"}}),
              HasSubstr("f0 has no column \"amout\"; its columns are: v, city"));
  EXPECT_THAT(error_of("stats", {{"column", "v"}}, "v,v\n"), HasSubstr("two columns \"v\""));
  EXPECT_THAT(error_of("stats", {{"column", "v"}}, ""), HasSubstr("first line must name the columns"));
  EXPECT_THAT(error_of("stats", {{"column", "v"}}, "\"v\"x\n"), HasSubstr("f0: offset 3: in the header"));
  EXPECT_THAT(error_of("stats", {{"column", "v"}, {"quantiles", "0.5,2"}}), HasSubstr("not within 0 .. 1"));
  EXPECT_THAT(error_of("stats", {{"column", "v"}, {"quantiles", "half"}}), HasSubstr("--quantiles \"half\""));
  EXPECT_THAT(error_of("stats", {{"column", "v"}, {"histogram", "5:1:3"}}), HasSubstr("LOW:HIGH:BINS"));
  EXPECT_THAT(error_of("stats", {{"column", "v"}, {"max-groups", "-1"}}), HasSubstr("from 1 to 1000000"));
  EXPECT_THAT(error_of("stats", {{"column", "v"}, {"delimiter", "\""}}), HasSubstr("--delimiter"));
  EXPECT_THAT(error_of("top", {{"column", "v"}, {"rows", "0"}}), HasSubstr("--rows \"0\""));
  EXPECT_THAT(error_of("top", {{"column", "v"}, {"frequent", "true"}, {"smallest", "true"}}), HasSubstr("--smallest"));
  EXPECT_THAT(error_of("checksum", {{"algorithm", "md5"}}), HasSubstr("crc32c, xxh3 or sha256"));
  EXPECT_THAT(error_of("grep", {{"pattern", "a(b"}}), HasSubstr("missing )"));
  EXPECT_THAT(error_of("grep", {{"pattern", "\xff"}}), HasSubstr("--bytes"));
  EXPECT_EQ(error_of("grep", {{"pattern", "\xff"}, {"bytes", "true"}}), "none");
}

}  // namespace
}  // namespace cairn::tasks
