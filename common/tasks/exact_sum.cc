#include "common/tasks/exact_sum.h"

#include <bit>
#include <cmath>
#include <utility>

namespace cairn::tasks {
namespace {

constexpr size_t kMaxParts = 64;
constexpr double kMaxPart = 1e300;  // 10^60 squares of kMaxSummand

}  // namespace

// Grow-Expansion, leaving out zeros: each step splits a sum of two doubles into its rounded value and what was lost.
void ExactSum::add(double value) {
  size_t kept = 0;
  for (double part : parts_) {
    if (std::abs(value) < std::abs(part)) std::swap(value, part);
    const double high = value + part;
    const double low = part - (high - value);
    if (low != 0) parts_[kept++] = low;
    value = high;
  }
  parts_.resize(kept);
  if (value != 0) parts_.push_back(value);
}

void ExactSum::add_product(double a, double b) {
  const double high = a * b;
  add(high);
  add(std::fma(a, b, -high));
}

void ExactSum::add(const ExactSum& other) {
  for (const double part : other.parts_) add(part);
}

// From the largest part down, until one is lost; then half-way cases are decided by the sign of the next (as in
// CPython's math.fsum).
double ExactSum::total() const {
  size_t n = parts_.size();
  if (n == 0) return 0;
  double high = parts_[--n], low = 0;
  while (n > 0 && low == 0) {
    const double before = high, part = parts_[--n];
    high = before + part;
    low = part - (high - before);
  }
  if (n > 0 && ((low < 0 && parts_[n - 1] < 0) || (low > 0 && parts_[n - 1] > 0))) {
    const double twice = low * 2, rounded = high + twice;
    if (twice == rounded - high) high = rounded;
  }
  return high;
}

std::vector<double> ExactSum::canonical() const {
  std::vector<double> out;
  ExactSum rest = *this;
  for (double part; (part = rest.total()) != 0 && out.size() < kMaxParts;) {
    out.push_back(part);
    rest.add(-part);
  }
  return out;
}

void ExactSum::encode(ByteWriter& out) const {
  const std::vector<double> parts = canonical();
  out.u8(static_cast<uint8_t>(parts.size()));
  for (const double part : parts) out.u64(std::bit_cast<uint64_t>(part));
}

bool ExactSum::decode(ByteReader& in) {
  const size_t count = in.u8();
  if (count > kMaxParts) return false;
  for (size_t i = 0; i < count; ++i) {
    const auto part = std::bit_cast<double>(in.u64());
    if (!(std::abs(part) <= kMaxPart)) return false;
    add(part);  // not taken over as it is: these parts do not overlap, whatever the bytes say
  }
  return in.ok();
}

ExactSum squared_deviations(uint64_t count, const ExactSum& sum, const ExactSum& squares) {
  ExactSum out;
  for (const double part : squares.canonical()) out.add_product(static_cast<double>(count), part);
  const std::vector<double> parts = sum.canonical();
  for (const double a : parts) {
    for (const double b : parts) out.add_product(-a, b);
  }
  return out;
}

}  // namespace cairn::tasks
