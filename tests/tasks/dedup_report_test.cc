// dedup-report beyond its bound: the sample is the same for every cut, and near the truth. Exact figures against
// Python: tools/task_try.py.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/tasks/cuts.h"

namespace cairn::tasks {
namespace {

constexpr size_t kBlock = 512;

// Each block `copies` times, here and there.
std::string blocks(Random& random, uint64_t different, uint64_t copies) {
  std::vector<std::string> all;
  for (uint64_t i = 0; i < different; ++i) {
    std::string block(kBlock, '\0');
    for (char& byte : block) byte = static_cast<char>(random.below(256));
    all.insert(all.end(), copies, block);
  }
  std::shuffle(all.begin(), all.end(), random);
  std::string text;
  for (const std::string& block : all) text += block;
  return text;
}

double figure(const Table& table, const std::string& column) {
  const auto at = std::find(table.columns.begin(), table.columns.end(), column) - table.columns.begin();
  const Value& value = table.rows.at(0).at(static_cast<size_t>(at));
  if (const auto* count = std::get_if<uint64_t>(&value)) return static_cast<double>(*count);
  return std::get<double>(value);
}

Table table_of(const Operator& op, const std::vector<std::string>& texts) {
  const auto partial = op.empty();
  for (uint32_t file = 0; file < texts.size(); ++file)
    EXPECT_TRUE(map_text(*partial, {file, 0, texts[file].size()}, texts[file], texts[file].size()).ok());
  const Result<Table> table = partial->finish();
  EXPECT_TRUE(table.ok());
  return *table;
}

TEST(DedupReportTest, ASampleIsTheSameForEveryCut) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    const std::vector<std::string> texts = {blocks(random, 1500, 2) + "end", blocks(random, 1500, 1)};
    const auto op = *make_operator(job_of("dedup-report", {{"block", "512"}, {"max-blocks", "1000"}}, texts));
    const std::string whole = answer_whole(*op, texts);
    for (int cut = 0; cut < 3; ++cut) ASSERT_EQ(answer_cut(*op, texts, random, 20'000), whole);
  }
}

TEST(DedupReportTest, ASampleIsAsNearToTheTruthAsItSays) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Random random(seed);
    const std::vector<std::string> texts = {blocks(random, 6000, 2)};
    const auto op = *make_operator(job_of("dedup-report", {{"block", "512"}, {"max-blocks", "1000"}}, texts));
    const Table table = table_of(*op, texts);
    EXPECT_LE(figure(table, "sampled"), 0.25);
    EXPECT_GT(figure(table, "error"), 0.01);
    EXPECT_LT(figure(table, "error"), 0.06);
    EXPECT_LT(std::abs(figure(table, "unique_blocks") - 6000), 4 * figure(table, "error") * 6000);
    EXPECT_EQ(figure(table, "blocks"), 12'000);
  }
}

TEST(DedupReportTest, UpToTheBoundItIsExact) {
  Random random(1);
  const std::vector<std::string> texts = {blocks(random, 1000, 2), std::string(3 * kBlock + 7, '\0')};
  const Arguments arguments = {{"block", "512"}, {"max-blocks", "1002"}};
  const Table table = table_of(**make_operator(job_of("dedup-report", arguments, texts)), texts);
  EXPECT_EQ(figure(table, "unique_blocks"), 1002);
  EXPECT_EQ(figure(table, "unique_bytes"), 1001 * kBlock + 7);
  EXPECT_EQ(figure(table, "zero_bytes"), 3 * kBlock + 7);
  EXPECT_EQ(figure(table, "sampled"), 1);
  EXPECT_EQ(figure(table, "error"), 0);
}

TEST(DedupReportTest, RowsOfASampleWouldBeWrongAndAreAnError) {
  Random random(1);
  const std::vector<std::string> texts = {blocks(random, 1001, 2)};
  const Arguments arguments = {{"block", "512"}, {"max-blocks", "1000"}, {"rows", "3"}};
  const std::string answer = answer_whole(**make_operator(job_of("dedup-report", arguments, texts)), texts);
  EXPECT_EQ(answer.find("error: more than 1000 different blocks"), 0u) << answer;
}

}  // namespace
}  // namespace cairn::tasks
