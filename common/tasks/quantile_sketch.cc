#include "common/tasks/quantile_sketch.h"

#include <bit>
#include <cmath>

namespace cairn::tasks {
namespace {

constexpr int kMantissaBits = 52, kKeptBits = 7;
constexpr int kShift = kMantissaBits - kKeptBits;
constexpr int32_t kLastBucket = 2047 << kKeptBits;  // of the largest finite double

int32_t bucket_of(double value) {
  if (value == 0) return 0;
  const auto magnitude = static_cast<int32_t>(std::bit_cast<uint64_t>(std::abs(value)) >> kShift) + 1;
  return value < 0 ? -magnitude : magnitude;
}

double middle_of(int32_t bucket) {
  if (bucket == 0) return 0;
  const auto bits = (static_cast<uint64_t>(std::abs(bucket)) - 1) << kShift | uint64_t{1} << (kShift - 1);
  return std::copysign(std::bit_cast<double>(bits), bucket);
}

}  // namespace

void QuantileSketch::add(double value) { ++counts_[bucket_of(value)]; }

void QuantileSketch::merge(const QuantileSketch& other) {
  for (const auto& [bucket, count] : other.counts_) counts_[bucket] += count;
}

double QuantileSketch::quantile(double q) const {
  uint64_t total = 0;
  for (const auto& [bucket, count] : counts_) total += count;
  auto rest = static_cast<uint64_t>(std::floor(q * static_cast<double>(total - 1)));
  for (const auto& [bucket, count] : counts_) {
    if (rest < count) return middle_of(bucket);
    rest -= count;
  }
  return middle_of(counts_.rbegin()->first);
}

void QuantileSketch::encode(ByteWriter& out) const {
  out.u32(static_cast<uint32_t>(counts_.size()));
  for (const auto& [bucket, count] : counts_) out.u32(static_cast<uint32_t>(bucket)).u64(count);
}

bool QuantileSketch::decode(ByteReader& in, uint64_t total) {
  constexpr size_t kBucketBytes = 12;
  uint64_t rest = total;
  for (uint32_t left = in.count(kBucketBytes); left > 0; --left) {
    const auto bucket = static_cast<int32_t>(in.u32());
    const uint64_t count = in.u64();
    const bool ascends = counts_.empty() || bucket > counts_.rbegin()->first;
    if (!ascends || bucket > kLastBucket || bucket < -kLastBucket || count == 0 || count > rest) return false;
    counts_.emplace_hint(counts_.end(), bucket, count);
    rest -= count;
  }
  return in.ok() && rest == 0;
}

}  // namespace cairn::tasks
