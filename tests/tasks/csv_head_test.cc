#include "common/tasks/csv_head.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/tasks/job.h"

namespace cairn::tasks {
namespace {

// Reads the head of a file with this content, in pieces of at most so many bytes.
Result<std::string> head_of(const std::string& content, size_t at_most, uint64_t size) {
  return read_csv_head("/a.csv", size, [&](uint64_t at, uint64_t end) -> Result<std::string_view> {
    return std::string_view(content).substr(std::min<size_t>(at, content.size()), std::min<size_t>(at_most, end - at));
  });
}

TEST(CsvHeadTest, IsTheFirstRecordWhateverThePiecesAre) {
  const std::string record = "a,\"b\n" + std::string(9000, 'x') + "\"\r\n";
  for (const size_t at_most : {1, 7, 4096, 100'000}) {
    EXPECT_EQ(*head_of(record + "1,2\n", at_most, record.size() + 4), record);
    EXPECT_EQ(*head_of("a,b", at_most, 3), "a,b") << "without a line end";
    EXPECT_EQ(*head_of("", at_most, 0), "");
  }
}

TEST(CsvHeadTest, AHeadThatDoesNotEndIsAnError) {
  const std::string content(2 * kMaxHeadBytes, 'x');
  const auto head = head_of(content, 1 << 20, content.size());
  EXPECT_EQ(head.code(), Errc::invalid);
  EXPECT_NE(head.error().what.find("/a.csv"), std::string::npos);
  EXPECT_EQ(head_of("a,b", 10, 100).code(), Errc::invalid) << "the file has become shorter";
}

TEST(CsvHeadTest, WhatCannotBeReadIsThatError) {
  const auto head = read_csv_head("/a.csv", 5, [](uint64_t, uint64_t) -> Result<std::string_view> {
    return Error{Errc::io, "the disk"};
  });
  EXPECT_EQ(head.code(), Errc::io);
}

}  // namespace
}  // namespace cairn::tasks
