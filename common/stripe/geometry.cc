#include "common/stripe/geometry.h"

#include <algorithm>
#include <cassert>

namespace cairn {

namespace {

// Of the byte at `position` of the run, counted from the run's first stripe.
uint64_t place_of(const Extent& extent, uint64_t position) {
  return extent.place + position / extent.shape.data_bytes() * extent.shape.stride();
}

}  // namespace

Extent Extent::part(uint64_t from, uint64_t to) const {
  assert(offset <= from && from < to && to <= end());
  Extent result = *this;
  const uint64_t in_run = position + (from - offset);
  result.offset = from;
  result.length = to - from;
  result.place = place_of(*this, in_run);
  result.position = in_run % shape.data_bytes();
  return result;
}

bool Extent::joins(const Extent& next) const {
  if (next.chunk != chunk || next.shape != shape || next.offset != end()) return false;
  const uint64_t behind = position + length;  // in the run
  if (next.place != place_of(*this, behind) || next.position != behind % shape.data_bytes()) return false;
  const bool one_stripe = behind + next.length <= shape.data_bytes();
  return one_stripe || shape.present == shape.all_present();
}

std::vector<CellRange> cells_of(const Extent& extent) {
  const StripeShape& shape = extent.shape;
  std::vector<CellRange> ranges;
  ranges.reserve((extent.position % shape.cell_bytes + extent.length - 1) / shape.cell_bytes + 1);
  uint64_t position = extent.position;
  for (uint64_t left = extent.length; left > 0;) {
    const uint64_t in_stripe = position % shape.data_bytes();
    CellRange range;
    range.place = place_of(extent, position);
    range.cell = static_cast<uint32_t>(in_stripe / shape.cell_bytes);
    range.offset = static_cast<uint32_t>(in_stripe % shape.cell_bytes);
    range.length = static_cast<uint32_t>(std::min<uint64_t>(left, shape.cell_bytes - range.offset));
    position += range.length;
    left -= range.length;
    ranges.push_back(range);
  }
  return ranges;
}

bool valid(const StripeShape& shape) {
  return shape.code.d >= 1 && shape.code.d <= kMaxDataShards && shape.code.m <= kMaxParityShards &&  //
         shape.cell_bytes > 0 && shape.cell_bytes <= kMaxCellBytes && shape.cell_bytes % kBlockBytes == 0 &&
         shape.header_bytes > 0 && shape.header_bytes <= kMaxHeaderBytes && shape.header_bytes % kBlockBytes == 0 &&
         shape.present != 0 && (shape.present & ~shape.all_present()) == 0;
}

bool valid(const Extent& extent) {
  if (!valid(extent.shape) || raw(extent.chunk) == 0) return false;
  const uint64_t stripe_bytes = extent.shape.data_bytes();
  if (extent.length == 0 || extent.length > INT64_MAX || extent.offset > INT64_MAX - extent.length) return false;
  if (extent.position >= stripe_bytes) return false;
  if (extent.place % kBlockBytes != 0 || extent.place >= kMaxShardBytes) return false;
  // position + length < 2^63 + 2^25, so it cannot overflow; nor can stripes * stride below, as stripes is checked
  // first.
  const uint64_t stripes = (extent.position + extent.length - 1) / stripe_bytes + 1;
  if (stripes > (kMaxShardBytes - extent.place) / extent.shape.stride()) return false;
  if (stripes > 1) return extent.shape.present == extent.shape.all_present();
  const uint64_t first = extent.position / extent.shape.cell_bytes;
  const uint64_t last = (extent.position + extent.length - 1) / extent.shape.cell_bytes;
  for (uint64_t cell = first; cell <= last; ++cell) {
    if ((extent.shape.present >> cell & 1) == 0) return false;
  }
  return true;
}

}  // namespace cairn
