#include "client/inodes/layout_cache.h"

#include <algorithm>

namespace cairn {

uint64_t LayoutCache::known_until(uint64_t from) const {
  if (head_ == Head::inline_data) return UINT64_MAX;
  auto it = known_.upper_bound(from);
  if (it == known_.begin()) return from;
  return std::max(from, std::prev(it)->second);
}

std::vector<KnownExtent> LayoutCache::within(uint64_t from, uint64_t to) const {
  std::vector<KnownExtent> found;
  if (from >= to) return found;
  auto it = extents_.upper_bound(from);
  if (it != extents_.begin() && std::prev(it)->second.extent.end() > from) --it;
  for (; it != extents_.end() && it->second.extent.offset < to; ++it) {
    const Extent& extent = it->second.extent;
    found.push_back({extent.part(std::max(from, extent.offset), std::min(to, extent.end())), it->second.chunk});
  }
  return found;
}

size_t LayoutCache::count_within(uint64_t from, uint64_t to) const {
  auto it = extents_.upper_bound(from);
  if (it != extents_.begin() && std::prev(it)->second.extent.end() > from) --it;
  size_t count = 0;
  for (; it != extents_.end() && it->second.extent.offset < to; ++it) ++count;
  return count;
}

void LayoutCache::forget() {
  head_ = Head::unknown;
  inline_.reset();
  extents_.clear();
  known_.clear();
}

void LayoutCache::make_empty() {
  forget();
  head_ = Head::extents;
  known_[0] = UINT64_MAX;
}

void LayoutCache::make_inline(std::string content) {
  forget();
  head_ = Head::inline_data;
  inline_ = std::make_shared<const std::string>(std::move(content));
}

void LayoutCache::add_page(uint64_t from, uint64_t until, std::vector<KnownExtent> extents) {
  if (head_ != Head::extents) {
    forget();
    head_ = Head::extents;
  }
  trim(from, until);
  for (KnownExtent& known : extents) {
    const uint64_t begin = std::max(from, known.extent.offset), end = std::min(until, known.extent.end());
    if (begin >= end) continue;
    known.extent = known.extent.part(begin, end);
    extents_.insert_or_assign(begin, std::move(known));
  }
  mark_known(from, until);
}

void LayoutCache::insert(const KnownExtent& known) {
  if (head_ != Head::extents) return;
  trim(known.extent.offset, known.extent.end());
  extents_.insert_or_assign(known.extent.offset, known);
  mark_known(known.extent.offset, known.extent.end());
}

void LayoutCache::make_hole(uint64_t from, uint64_t to) {
  if (head_ != Head::extents) return;
  trim(from, to);
  mark_known(from, to);
}

void LayoutCache::trim(uint64_t from, uint64_t to) {
  if (from >= to) return;
  auto it = extents_.upper_bound(from);
  if (it != extents_.begin() && std::prev(it)->second.extent.end() > from) --it;
  while (it != extents_.end() && it->second.extent.offset < to) {
    const KnownExtent known = std::move(it->second);
    it = extents_.erase(it);
    if (known.extent.offset < from) {
      extents_.insert_or_assign(known.extent.offset,
                                KnownExtent{known.extent.part(known.extent.offset, from), known.chunk});
    }
    if (known.extent.end() > to) {
      it = extents_.insert_or_assign(to, KnownExtent{known.extent.part(to, known.extent.end()), known.chunk}).first;
      break;
    }
  }
}

void LayoutCache::mark_known(uint64_t from, uint64_t to) {
  if (from >= to) return;
  auto it = known_.upper_bound(from);
  if (it != known_.begin() && std::prev(it)->second >= from) --it;
  while (it != known_.end() && it->first <= to) {
    from = std::min(from, it->first);
    to = std::max(to, it->second);
    it = known_.erase(it);
  }
  known_[from] = to;
}

}  // namespace cairn
