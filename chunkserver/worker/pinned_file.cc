#include "chunkserver/worker/pinned_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/stripe/stripe_reader.h"

namespace cairn {

Status PinnedFile::read(uint64_t from, std::span<uint8_t> out) {
  Status status = read_once(from, out);
  if (!status.ok() && status.code() == Errc::io) {
    page_.covered_until = page_from_;
    status = read_once(from, out);
  }
  if (status.ok()) {
    counts_.bytes += out.size();
    return status;
  }
  return {status.code(), fmt::format("{}: bytes {} .. {}: {}", name_, from, from + out.size(), status.error().what)};
}

Status PinnedFile::read_once(uint64_t from, std::span<uint8_t> out) {
  while (!out.empty()) {
    if (from < page_from_ || from >= page_.covered_until) TRY(load(from));
    const auto upper = std::min<uint64_t>(from + out.size(), page_.covered_until);
    std::span<uint8_t> here = out.first(static_cast<size_t>(upper - from));
    if (page_.inline_data) {
      const std::string_view rest =
          std::string_view(*page_.inline_data).substr(std::min<size_t>(from, page_.inline_data->size()));
      const size_t known = std::min(rest.size(), here.size());
      std::copy_n(rest.begin(), known, here.begin());
      std::fill(here.begin() + static_cast<ptrdiff_t>(known), here.end(), uint8_t{0});
    } else {
      auto extent = std::ranges::upper_bound(page_.extents, from, {}, &Extent::end);
      if (extent == page_.extents.end() || extent->offset > from) {
        const uint64_t hole_end = extent == page_.extents.end() ? upper : std::min(upper, extent->offset);
        here = here.first(static_cast<size_t>(hole_end - from));
        std::ranges::fill(here, uint8_t{0});
      } else {
        here = here.first(static_cast<size_t>(std::min(upper, extent->end()) - from));
        TRY(read_extent_part(extent->part(from, from + here.size()), here));
      }
    }
    from += here.size();
    out = out.subspan(here.size());
  }
  return {};
}

Status PinnedFile::load(uint64_t from) {
  page_ = {};
  chunks_.clear();
  page_from_ = from;
  ASSIGN(page_, fetch_(from));
  if (page_.covered_until <= from ||
      !std::ranges::all_of(page_.extents, [](const Extent& one) { return valid(one); }) ||
      !std::ranges::is_sorted(page_.extents, {}, &Extent::end)) {
    page_.covered_until = from;
    return {Errc::invalid, fmt::format("the layout from {} on is malformed", from)};
  }
  for (const ChunkInfo& chunk : page_.chunks) chunks_[chunk.chunk] = &chunk;
  return {};
}

Status PinnedFile::read_extent_part(const Extent& part, std::span<uint8_t> out) {
  const auto chunk = chunks_.find(part.chunk);
  if (chunk == chunks_.end())
    return {Errc::invalid, fmt::format("the layout does not say where chunk {:#x} lies", raw(part.chunk))};
  ReadOutcome outcome = read_extent(transport_, clock_, *chunk->second, part, out);
  counts_.decoded_bytes += outcome.decoded_bytes;
  return std::move(outcome.status);
}

}  // namespace cairn
