// sort beyond its memory: many runs, what holds in memory meanwhile, and what a damaged run does. Against coreutils:
// tools/task_try.py.
#include <gmock/gmock.h>

#include <algorithm>

#include "common/tasks/sorted_runs.h"
#include "tests/heap_use.h"
#include "tests/tasks/cuts.h"
#include "tests/tasks/partials.h"

namespace cairn::tasks {
namespace {

using test::heap_bytes;
using test::heap_is_measurable;
using testing::HasSubstr;

std::string random_lines(Random& random, size_t count, size_t longest) {
  std::string text;
  for (; count > 0; --count) {
    for (uint64_t left = random.below(longest); left > 0; --left) text += static_cast<char>('a' + random.below(26));
    text += '\n';
  }
  return text;
}

std::string sorted(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end + 1 - at));
    at = end + 1;
  }
  std::sort(lines.begin(), lines.end(), [](std::string_view a, std::string_view b) {
    a.remove_suffix(1);
    b.remove_suffix(1);
    return a < b;
  });
  std::string out;
  for (const std::string& line : lines) out += line;
  return out;
}

TEST(SortTest, ManyRunsAreOneOrderForEveryCut) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Random random(seed);
    const std::vector<std::string> texts = {random_lines(random, 8000, 40), random_lines(random, 40, 9000)};
    const auto op = *make_operator(job_of("sort", {{"memory", "64K"}}, texts));
    const std::string expected = sorted(texts[0] + texts[1]);
    ASSERT_TRUE(answer_whole(*op, texts) == expected) << seed;
    ASSERT_TRUE(answer_cut(*op, texts, random, 30'000) == expected) << seed;
  }
}

TEST(SortTest, EqualKeysStayInTheOrderOfFilesAndOffsetsOverAllRuns) {
  Random random(1);
  std::vector<std::string> texts;
  std::vector<std::pair<uint64_t, std::string>> rows;
  for (int file = 0; file < 3; ++file) {
    texts.emplace_back("k,place\n");
    for (int i = 0; i < 3000; ++i) {
      const uint64_t key = random.below(20);
      rows.emplace_back(key, std::to_string(key) + "," + std::to_string(rows.size()) + "\n");
      texts.back() += rows.back().second;
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string expected = "k,place\n";
  for (const auto& [key, row] : rows) expected += row;
  const Arguments arguments = {{"column", "k"}, {"numeric", "true"}, {"reverse", "true"}, {"memory", "64K"}};
  const auto op = *make_operator(job_of("sort", arguments, texts));
  EXPECT_TRUE(answer_cut(*op, texts, random, 5000) == expected);
}

// Counts what it keeps, and keeps it in a file's stead: outside of the heap's measure.
class CountedRuns final : public RunStore {
 public:
  uint32_t origin() const override { return 0; }
  uint64_t size() const override { return bytes_.size(); }
  Status append(std::string_view bytes) override {
    bytes_ += bytes;
    return {};
  }
  Result<std::string> read(uint32_t, uint64_t offset, uint32_t bytes) override {
    largest_read_ = std::max(largest_read_, bytes);
    return bytes_.substr(offset, bytes);
  }
  void reserve(uint64_t bytes) { bytes_.reserve(bytes); }
  void flip(size_t at) { bytes_[at] ^= 4; }
  uint32_t largest_read() const { return largest_read_; }

 private:
  std::string bytes_;
  uint32_t largest_read_ = 0;
};

TEST(SortTest, HoldsItsBufferAndAPieceOfEachRunAndNoMore) {
  if (!heap_is_measurable()) GTEST_SKIP() << "the allocator does not say";
  constexpr size_t kLine = 1000, kLines = 160'000;  // 160 MB, in runs of 1 MiB
  const std::vector<InputFile> files = {{"f", kLine * kLines, {}}};
  const auto op = *make_operator({"sort", {{"memory", "1M"}}, files});
  CountedRuns runs;
  runs.reserve(kLine * kLines * 11 / 10);
  const auto partial = op->empty();
  partial->use_runs(runs);
  const uint64_t before = heap_bytes();
  uint64_t most = 0, seen = 0;
  std::string line(kLine, 'x');
  const Status mapped = partial->map({0, 0, files[0].size}, [&](uint64_t at, uint64_t) -> Result<std::string_view> {
    most = std::max(most, heap_bytes());
    snprintf(line.data(), 12, "%011llu", static_cast<unsigned long long>(at * 2654435761 % 99'999'999'977));
    line[11] = ' ';
    line.back() = '\n';
    return std::string_view(line);
  });
  ASSERT_TRUE(mapped.ok()) << mapped.error().what;
  EXPECT_LT(most - before, 6u << 20);
  most = 0;
  std::string last;
  const Status written = partial->write(
      [&](std::string_view text) {
        most = std::max(most, heap_bytes());
        seen += text.size();
        if (text.empty()) return Status();
        EXPECT_LE(last, text.substr(0, kLine));
        last = text.substr(text.size() - kLine);
        return Status();
      },
      false);
  ASSERT_TRUE(written.ok()) << written.error().what;
  EXPECT_EQ(seen, files[0].size);
  EXPECT_LE(runs.largest_read(), 1u << 20);
  EXPECT_LT(most - before, 80u << 20);
}

TEST(SortTest, ADamagedRunIsAnErrorAndNoOtherOrder) {
  const std::string text = "c\nb\na\n";
  for (size_t at = 0; at < 8 + 3 * 5; ++at) {
    const auto op = *make_operator(job_of("sort", {}, {text}));
    CountedRuns runs;
    const auto partial = op->empty();
    partial->use_runs(runs);
    ASSERT_TRUE(map_text(*partial, {0, 0, text.size()}, text, 10).ok());
    ASSERT_TRUE(partial->settle().ok());
    runs.flip(at);
    EXPECT_EQ(text_of(*partial).code(), Errc::corrupt) << at;
  }
}

TEST(SortTest, WhatDoesNotGoTogetherIsToldAtOnce) {
  const auto error_of = [](const Arguments& arguments, const std::vector<std::string>& texts) {
    return make_operator(job_of("sort", arguments, texts)).error().what;
  };
  EXPECT_THAT(error_of({{"column", "a"}}, {"a,b\n1,2\n", "b,a\n1,2\n"}), HasSubstr("f1 has another header than f0"));
  EXPECT_THAT(error_of({{"numeric", "true"}}, {"1\n"}), HasSubstr("--numeric goes with --column"));
  EXPECT_THAT(error_of({{"memory", "1K"}}, {"1\n"}), HasSubstr("--memory: from 64K to 1G"));
}

}  // namespace
}  // namespace cairn::tasks
