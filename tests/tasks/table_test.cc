#include "common/tasks/table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/base/random.h"
#include "common/tasks/numbers.h"
#include "common/tasks/utf8.h"

namespace cairn::tasks {
namespace {

TEST(TableTest, CsvQuotesWhatNeedsIt) {
  const Table table{{"a", "b,c"},
                    {{std::string("x\"y"), std::string("line\nend")},
                     {std::string(), Value{}},
                     {uint64_t{18446744073709551615u}, std::numeric_limits<double>::quiet_NaN()}}};
  EXPECT_EQ(to_csv(table), "a,\"b,c\"\n\"x\"\"y\",\"line\nend\"\n\"\",\n18446744073709551615,\n");
}

TEST(TableTest, JsonLinesHaveOneObjectARow) {
  const Table table{{"a", "b"}, {{std::string("x\"\n"), 0.1}, {uint64_t{3}, Value{}}}};
  EXPECT_EQ(to_json_lines(table), "{\"a\":\"x\\\"\\n\",\"b\":0.1}\n{\"a\":3,\"b\":null}\n");
}

TEST(TableTest, DoublesReadBackExactly) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const double value =
        (static_cast<double>(random()) - 9e18) * std::pow(10.0, static_cast<double>(random.below(200)) - 100);
    const std::string csv = to_csv({{"v"}, {{value}}});
    ASSERT_EQ(parse_number(std::string_view(csv).substr(2, csv.size() - 3)), value) << csv;
  }
}

TEST(Utf8Test, OnlyWellFormedSequencesPass) {
  EXPECT_EQ(find_invalid_utf8("aé€\xf0\x9f\x98\x80"), std::string_view::npos);
  for (const char* bad :
       {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8", "\xe2\x82"})
    EXPECT_EQ(find_invalid_utf8(std::string("ok") + bad), 2u);
  EXPECT_EQ(replace_invalid_utf8("a\xe2\x82z\xff"), "a\xef\xbf\xbdz\xef\xbf\xbd");
}

}  // namespace
}  // namespace cairn::tasks
