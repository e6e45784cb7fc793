// bsearch: what it finds against a look at every line, and how little it reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/tasks/cuts.h"

namespace cairn::tasks {
namespace {

struct Answer {
  std::vector<std::pair<uint64_t, std::string>> lines;  // offset, text
  std::string error;
  uint64_t reads = 0, bytes = 0;
};

Answer search(const std::string& text, Arguments arguments, size_t piece_bytes = 1u << 20) {
  Answer answer;
  const auto op = make_operator(job_of("bsearch", arguments, {text}));
  EXPECT_TRUE(op.ok()) << op.error().what;
  const auto partial = (*op)->empty();
  const Status mapped = partial->map({0, 0, text.size()}, [&](uint64_t at, uint64_t end) -> Result<std::string_view> {
    EXPECT_LE(end, text.size());
    const std::string_view piece = std::string_view(text).substr(at, std::min<uint64_t>(end - at, piece_bytes));
    ++answer.reads;
    answer.bytes += piece.size();
    return piece;
  });
  EXPECT_TRUE(mapped.ok()) << mapped.error().what;
  const Result<Table> table = partial->finish();
  if (!table.ok()) answer.error = table.error().what;
  for (size_t i = 0; table.ok() && i < table->rows.size(); ++i)
    answer.lines.emplace_back(std::get<uint64_t>(table->rows[i][1]), std::get<std::string>(table->rows[i][2]));
  return answer;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// A few of them much longer than a look.
std::vector<std::string> random_lines(Random& random, size_t count) {
  std::vector<std::string> lines;
  for (; count > 0; --count) {
    std::string line;
    for (uint64_t left = random.below(6); left > 0; --left) line += static_cast<char>('a' + random.below(4));
    if (random.one_in(300)) line += std::string(random.between(10'000, 60'000), 'm');
    lines.push_back(std::move(line));
  }
  return lines;
}

TEST(BsearchTest, FindsWhatALookAtEachLineFinds) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    const bool reverse = random.one_in(2), prefix = random.one_in(2);
    std::vector<std::string> lines = random_lines(random, random.below(20'000));
    std::sort(lines.begin(), lines.end());
    if (reverse) std::reverse(lines.begin(), lines.end());
    std::string text = joined(lines);
    if (!text.empty() && random.one_in(2)) text.pop_back();
    for (const std::string key : {"", "a", "bb", "dddd", "cdm", "x", "abca"}) {
      std::vector<std::pair<uint64_t, std::string>> expected;
      uint64_t offset = 0;
      for (const std::string& line : lines) {
        if ((prefix ? line.starts_with(key) : line == key) && offset < text.size()) expected.emplace_back(offset, line);
        offset += line.size() + 1;
      }
      Arguments arguments = {{"key", key}};
      if (reverse) arguments["reverse"] = "true";
      if (prefix) arguments["prefix"] = "true";
      const Answer answer = search(text, arguments, random.one_in(2) ? 700 : 1u << 20);
      ASSERT_EQ(answer.error, "");
      ASSERT_EQ(answer.lines, expected) << "seed " << seed << ", key " << key;
    }
  }
}

TEST(BsearchTest, ReadsALogarithmOfTheFileAndItsMatches) {
  std::vector<std::string> lines;
  for (int i = 0; i < 1'000'000; ++i) lines.push_back("key " + std::to_string(10'000'000 + i / 10));
  const std::string text = joined(lines);  // 13 MB
  const double looks = std::ceil(std::log2(static_cast<double>(text.size()) / (16 << 10)));
  for (const std::string key : {"key 10000000", "key 10050000", "key 10099999", "key 2", "a"}) {
    const Answer answer = search(text, {{"key", key}});
    EXPECT_EQ(answer.lines.size(), key.size() == 12 ? 10u : 0u);
    EXPECT_LE(answer.reads, looks + 3) << key;
    EXPECT_LE(answer.bytes, static_cast<uint64_t>(looks + 3) * (16 << 10) + (256 << 10)) << key;
  }
  const Answer many = search(text, {{"key", "key 1005"}, {"prefix", "true"}});
  EXPECT_EQ(many.lines.size(), 100'000u);
  EXPECT_LE(many.bytes, 100'000 * 13 + static_cast<uint64_t>(looks + 3) * (16 << 10) + (256 << 10));
}

TEST(BsearchTest, SaysThatAFileIsNotSortedWhereItShows) {
  std::vector<std::string> lines;
  for (int i = 0; i < 100'000; ++i) lines.push_back(std::to_string(100'000 + i));
  std::fill(lines.begin() + 74'990, lines.begin() + 75'010, "100000");  // where the second look goes
  const Answer answer = search(joined(lines), {{"key", "150001"}});
  EXPECT_NE(answer.error.find("f0: offset "), std::string::npos) << answer.error;
  EXPECT_NE(answer.error.find("the file is not sorted: \""), std::string::npos) << answer.error;
}

TEST(BsearchTest, WhatIsNoRecordIsAnErrorWithItsPlace) {
  std::string text = "v,g\n";
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i) + ",x\n";
  Arguments arguments = {{"key", "20000"}, {"column", "v"}, {"numeric", "true"}};
  EXPECT_EQ(search(text, arguments).error, "");
  EXPECT_EQ(search(text + "word,x\n", arguments).error.find("f0: offset " + std::to_string(text.size())), 0u);
  EXPECT_NE(search(text + "19999,\"a\nb\"\n", arguments).error.find("no line ends within quotes"), std::string::npos);
  const std::string long_line = "a\n" + std::string(kMaxRecordBytes + 1, 'b') + "\n";
  EXPECT_EQ(search(long_line, {{"key", "c"}}).error, "f0: offset 2: the line that begins here is longer than 16 MiB");
}

TEST(BsearchTest, AnArgumentThatDoesNotFitIsToldAtOnce) {
  const std::vector<std::string> texts = {"v\n1\n"};
  for (const Arguments& arguments :
       {Arguments{{"key", "x"}, {"column", "v"}, {"numeric", "true"}}, Arguments{{"key", "1"}, {"numeric", "true"}},
        Arguments{{"key", "1"}, {"column", "w"}},
        Arguments{{"key", "1"}, {"column", "v"}, {"numeric", "true"}, {"prefix", "true"}}})
    EXPECT_EQ(make_operator(job_of("bsearch", arguments, texts)).code(), Errc::invalid);
}

}  // namespace
}  // namespace cairn::tasks
