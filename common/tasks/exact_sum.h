// Sums of doubles that are rounded once, at the end: so they do not depend on order, cut or tree of merges.
//
// Adding in floating point is not associative, nor are the merges of mean and variance by Chan, Golub and LeVeque
// (1979), however stable. So the sum is kept exactly, as a few doubles that do not overlap (Shewchuk, "Adaptive
// Precision Floating-Point Arithmetic", 1997), and rounded once: total() is what Python's math.fsum gives.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"

namespace cairn::tasks {

// Beyond this a sum of squares of many values could leave the range of doubles; operators refuse such values.
inline constexpr double kMaxSummand = 1e120;

class ExactSum {
 public:
  void add(double value);                // finite
  void add_product(double a, double b);  // exactly, unless it is so small that a double cannot hold its low half
  void add(const ExactSum& other);
  double total() const;  // the true sum, rounded to the nearest double, ties to even

  void encode(ByteWriter& out) const;
  bool decode(ByteReader& in);  // into an empty one

 private:
  friend ExactSum squared_deviations(uint64_t, const ExactSum&, const ExactSum&);
  // The same sum in the one form that does not depend on how it was reached: the total, the total of the rest, ...
  std::vector<double> canonical() const;

  std::vector<double> parts_;  // ascending in magnitude, not overlapping, none zero; 2 to 4 in practice, 40 at most
};

// count * squares - sum * sum, exactly: count times the sum of (x - mean)^2, without cancellation. count < 2^53.
ExactSum squared_deviations(uint64_t count, const ExactSum& sum, const ExactSum& squares);

}  // namespace cairn::tasks
