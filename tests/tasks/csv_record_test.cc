#include "common/tasks/csv_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::tasks {
namespace {

using testing::ElementsAre;

std::vector<std::string> fields_of(std::string_view text, char delimiter = ',') {
  CsvRecord record;
  if (const auto fault = record.parse(text, delimiter)) return {"fault", std::to_string(fault->offset)};
  std::vector<std::string> out;
  for (size_t i = 0; i < record.size(); ++i) out.emplace_back(record.field(i));
  return out;
}

TEST(CsvRecordTest, FieldsAreAsRfc4180HasThem) {
  EXPECT_THAT(fields_of("a,b,c\r\n"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(fields_of("a,,\n"), ElementsAre("a", "", ""));
  EXPECT_THAT(fields_of("\"a,b\",\"c\"\"d\",\"\"\n"), ElementsAre("a,b", "c\"d", ""));
  EXPECT_THAT(fields_of("\"x\r\ny\",1"), ElementsAre("x\r\ny", "1"));
  EXPECT_THAT(fields_of("\"\"\"\""), ElementsAre("\""));
  EXPECT_THAT(fields_of(" a , b \n"), ElementsAre(" a ", " b "));
  EXPECT_THAT(fields_of("a;\"b;c\";d", ';'), ElementsAre("a", "b;c", "d"));
  EXPECT_THAT(fields_of("\n"), ElementsAre(""));
}

TEST(CsvRecordTest, WhatItDoesNotAllowIsAFaultWithItsOffset) {
  EXPECT_THAT(fields_of("12,5\" disk\n"), ElementsAre("fault", "4"));
  EXPECT_THAT(fields_of("1,\"a\"b,2\n"), ElementsAre("fault", "5"));
  EXPECT_THAT(fields_of("1,\"open,2\n"), ElementsAre("fault", "2"));
  EXPECT_THAT(fields_of("a\rb,2\n"), ElementsAre("fault", "1"));
  EXPECT_THAT(fields_of("a,b\r"), ElementsAre("fault", "3"));
  EXPECT_THAT(fields_of(std::string(kMaxFields, ',')), ElementsAre("fault", std::to_string(kMaxFields)));
}

TEST(CsvRecordTest, TheHeaderEndsAtTheFirstLineEndOutsideQuotes) {
  EXPECT_EQ(first_csv_record("a,\"b\nc\"\n1,2\n", false), "a,\"b\nc\"\n");
  EXPECT_EQ(first_csv_record("a,b", true), "a,b");
  EXPECT_EQ(first_csv_record("a,b", false), std::nullopt);
  EXPECT_EQ(first_csv_record("", true), "");
}

}  // namespace
}  // namespace cairn::tasks
