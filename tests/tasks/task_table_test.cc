#include "common/tasks/task_table.h"

#include <gmock/gmock.h>

namespace cairn::tasks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(TaskTableTest, CsvAndJsonLinesSayTheSame) {
  const auto expected = ElementsAre(TableEntry{"a,b.csv", 10, 0, {}, "p0"}, TableEntry{"c", 0, 3, 10u << 20, ""});
  const auto csv = parse_task_table("size,partition,file,reads,writes\n,p0,\"a,b.csv\",10,0\n\n10M,,c,,3\n");
  ASSERT_TRUE(csv.ok()) << csv.error().what;
  EXPECT_THAT(*csv, expected);
  const auto json = parse_task_table(
      "\n{\"file\": \"a,b.csv\", \"reads\": 10, \"partition\": \"p0\"}\n"
      "{\"file\": \"c\", \"writes\": 3, \"size\": \"10M\", \"partition\": null}");
  ASSERT_TRUE(json.ok()) << json.error().what;
  EXPECT_THAT(*json, expected);
}

TEST(TaskTableTest, WhatIsWrongIsToldWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "names no file"},
      {"file,reads\n", "names no file"},
      {"name,reads\na,1\n", "line 1: there is no column \"file\""},
      {"file,reds\na,1\n", "line 2: \"reds\" is none of"},
      {"file,reads\na,1\nb,x\n", "line 3: \"x\" is no whole number"},
      {"file,reads\na,-1\n", "line 2"},
      {"file,reads\na,1000001\n", "line 2"},
      {"file,reads\na\n", "line 2: 1 fields under 2 columns"},
      {"file,reads\na,1\na,2\n", "line 3: a is named twice"},
      {"file,reads\n,1\n", "line 2: no file is named"},
      {"file,partition\na,p*2\n", "line 2: \"p*2\" is no name of a partition"},
      {"file,reads\n\"a,1\n", "line 2"},
      {"{\"file\": \"a\"}\nnonsense\n", "line 2: no JSON object"},
      {"{\"file\": \"a\", \"reads\": 1.5}\n", "line 1: \"reads\" is neither"},
      {"{\"file\": [\"a\"]}\n", "line 1"},
  };
  for (const auto& [text, what] : cases) {
    const auto parsed = parse_task_table(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.code(), Errc::invalid);
    EXPECT_THAT(parsed.error().what, HasSubstr(what)) << text;
  }
}

}  // namespace
}  // namespace cairn::tasks
