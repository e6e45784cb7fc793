#include "common/stripe/held_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace cairn {
namespace {

class Tiling {
 public:
  explicit Tiling(uint64_t begin) : at_(begin) {}
  uint64_t at() const { return at_; }
  void add(uint64_t end, ServerId holder) {
    if (end == at_) return;
    if (!ranges_.empty() && ranges_.back().holder == holder) {
      ranges_.back().end = end;
    } else {
      ranges_.push_back({at_, end, holder});
    }
    at_ = end;
  }
  std::vector<HeldRange> take() { return std::move(ranges_); }

 private:
  uint64_t at_;
  std::vector<HeldRange> ranges_;
};

}  // namespace

Result<std::vector<HeldRange>> held_ranges(uint64_t begin, uint64_t end, std::span<const Extent> extents,
                                           std::span<const ChunkHolders> holders) {
  std::map<ChunkId, const ChunkHolders*> by_chunk;
  for (const ChunkHolders& one : holders) by_chunk.emplace(one.chunk, &one);
  Tiling tiling(begin);
  for (const Extent& extent : extents) {
    if (extent.end() <= begin || extent.offset >= end) continue;
    const uint64_t from = std::max(extent.offset, begin), to = std::min(extent.end(), end);
    if (from < tiling.at()) return Error{Errc::invalid, fmt::format("an extent at {} overlaps another", extent.offset)};
    const auto found = by_chunk.find(extent.chunk);
    if (found == by_chunk.end() || found->second->data.size() < extent.shape.code.d)
      return Error{Errc::invalid, fmt::format("it is not known who holds chunk {}", raw(extent.chunk))};
    tiling.add(from, ServerId{});
    for (const CellRange& cell : cells_of(extent.part(from, to)))
      tiling.add(tiling.at() + cell.length, found->second->data[cell.cell]);
  }
  tiling.add(end, ServerId{});
  return tiling.take();
}

std::vector<HeldRange> ranges_of(ServerId holder, std::span<const HeldRange> ranges) {
  std::vector<HeldRange> own;
  std::ranges::copy_if(ranges, std::back_inserter(own), [&](const HeldRange& one) { return one.holder == holder; });
  return own;
}

}  // namespace cairn
