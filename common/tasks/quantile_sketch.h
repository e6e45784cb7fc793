// Quantiles of any number of values within a bounded relative error; merges are exact, so order does not matter.
//
// A DDSketch (Masson, Rim, Lee, VLDB 2019): counts of values in buckets that grow geometrically. KLL and t-digest need
// less memory but depend on chance or on the order of merges. The bucket is the top 19 bits of the double (sign,
// exponent, 7 bits of mantissa: the paper's linear interpolation between powers of two), so no logarithm can differ
// between two machines. A bucket is at most 1/128 of its values wide and stands for its middle: the answer is within
// 1/256 (0.4 %) of the value that has the rank floor(q * (count - 1)).
//
// Memory: one count for each bucket that has a value: 128 for a factor of two, some hundreds for ordinary data.
#pragma once

#include <cstdint>
#include <map>

#include "common/base/bytes.h"

namespace cairn::tasks {

class QuantileSketch {
 public:
  void add(double value);  // finite
  void merge(const QuantileSketch& other);
  double quantile(double q) const;  // 0 <= q <= 1; requires a value
  size_t buckets() const { return counts_.size(); }

  void encode(ByteWriter& out) const;
  // Into an empty one. False unless the counts add up to total.
  bool decode(ByteReader& in, uint64_t total);

 private:
  std::map<int32_t, uint64_t> counts_;  // keys ascend as the values do; 0 is zero
};

}  // namespace cairn::tasks
