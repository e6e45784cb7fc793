// Sums, quantiles and numbers: the figures that results are made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/base/random.h"
#include "common/tasks/exact_sum.h"
#include "common/tasks/numbers.h"
#include "common/tasks/quantile_sketch.h"

namespace cairn::tasks {
namespace {

double random_value(Random& random) {
  const auto whole = static_cast<double>(random.below(2'000'001)) - 1e6;
  return std::ldexp(whole, static_cast<int>(random.below(120)) - 60);
}

TEST(ExactSumTest, NothingIsLostWhateverCancels) {
  ExactSum sum;
  for (const double value : {1e100, 1.0, -1e100, 1e-30, 3.0}) sum.add(value);
  EXPECT_EQ(sum.total(), 4.0);
  sum.add(-4.0);
  EXPECT_EQ(sum.total(), 1e-30);
  EXPECT_EQ(ExactSum().total(), 0.0);
  ExactSum tenths;
  for (int i = 0; i < 10; ++i) tenths.add(0.1);
  EXPECT_EQ(tenths.total(), 1.0) << "as math.fsum([0.1] * 10)";
}

TEST(ExactSumTest, EveryOrderAndTreeGivesTheSameTotal) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    std::vector<double> values(200);
    for (double& value : values) value = random_value(random);
    ExactSum whole;
    for (const double value : values) whole.add(value);
    std::shuffle(values.begin(), values.end(), random);
    std::vector<ExactSum> parts(5);
    for (const double value : values) parts[random.below(parts.size())].add(value);
    for (size_t i = 1; i < parts.size(); ++i) {
      ByteWriter out;
      parts[i].encode(out);
      ByteReader in(out.view());
      ExactSum sent;
      ASSERT_TRUE(sent.decode(in) && in.done());
      parts[0].add(sent);
    }
    EXPECT_EQ(parts[0].total(), whole.total());
  }
}

TEST(ExactSumTest, VarianceDoesNotCancel) {
  ExactSum sum, squares;
  for (const double value : {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}) {
    sum.add(value);
    squares.add_product(value, value);
  }
  EXPECT_EQ(squared_deviations(4, sum, squares).total() / (4 * 3), 30.0);
}

TEST(QuantileSketchTest, TheAnswerIsWithinItsBoundOfTheTrueRank) {
  Random random(3);
  std::vector<double> values(5000);
  for (double& value : values) value = random.one_in(50) ? 0 : random_value(random);
  QuantileSketch left, right;
  for (size_t i = 0; i < values.size(); ++i) (i % 3 == 0 ? left : right).add(values[i]);
  left.merge(right);
  std::sort(values.begin(), values.end());
  for (const double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0}) {
    const double truth = values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
    EXPECT_LE(std::abs(left.quantile(q) - truth), std::abs(truth) / 256) << q;
  }
}

TEST(NumbersTest, ANumberIsTheWholeOfTheText) {
  EXPECT_EQ(parse_number("1.5"), 1.5);
  EXPECT_EQ(parse_number(" -2e3 "), -2000.0);
  EXPECT_EQ(parse_number("+7"), 7.0);
  EXPECT_EQ(parse_number("0.1"), 0.1);
  for (const char* text : {"", " ", "x", "1,5", "1 2", "nan", "inf", "1e999", "0x10", "+-1", "--1", "1e", "1_000"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

}  // namespace
}  // namespace cairn::tasks
