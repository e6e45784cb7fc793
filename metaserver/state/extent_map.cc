#include "metaserver/state/extent_map.h"

namespace cairn {

namespace {

constexpr size_t kMaxPage = 1024;

Status status_of(const Result<std::optional<Extent>>& result) {
  return result.ok() ? Status() : Status(result.error());
}

}  // namespace

ExtentMap::ExtentMap(Transaction& transaction, SpaceLedger& ledger, LogIndex index, InodeRow& inode)
    : rows_(transaction), ledger_(ledger), index_(index), inode_(inode) {}

void ExtentMap::put(const Extent& extent) {
  rows_.put(keys::extent(inode_.map, extent.end()), encode_row(ExtentRow{index_, extent}));
  ++inode_.extents;
  if (extent.end() > page_from_ && extent.end() <= page_to_) page_.insert_or_assign(extent.end(), extent);
}

void ExtentMap::drop(const Extent& extent) {
  rows_.erase(keys::extent(inode_.map, extent.end()));
  --inode_.extents;
  page_.erase(extent.end());
}

Status ExtentMap::read_page(uint64_t after) {
  page_size_ = std::min(page_size_ * 4, kMaxPage);
  ASSIGN(const std::vector<Extent> found, extents_in(rows_, inode_.map, after, UINT64_MAX, page_size_));
  page_.clear();
  for (const Extent& extent : found) page_.emplace(extent.end(), extent);
  page_from_ = after;
  page_to_ = found.size() < page_size_ ? UINT64_MAX : found.back().end();
  return {};
}

Result<std::optional<Extent>> ExtentMap::first_behind(uint64_t after) {
  if (inode_.extents == 0) return std::optional<Extent>();
  if (after < page_from_ || after >= page_to_) TRY(read_page(after));
  const auto found = page_.upper_bound(after);
  if (found != page_.end()) return std::optional(found->second);
  if (page_to_ == UINT64_MAX) return std::optional<Extent>();
  TRY(read_page(after));  // the last ones of the page were dropped
  return page_.empty() ? std::optional<Extent>() : std::optional(page_.begin()->second);
}

Status ExtentMap::remove(uint64_t from, uint64_t to) {
  std::vector<Extent> overlapping;
  for (uint64_t after = from; after < to;) {
    ASSIGN(const std::optional<Extent> next, first_behind(after));
    if (!next || next->offset >= to) break;
    overlapping.push_back(*next);
    after = next->end();
  }
  for (const Extent& old : overlapping) {
    drop(old);
    const Extent hidden = old.part(std::max(old.offset, from), std::min(old.end(), to));
    ledger_.remove(inode_.map, hidden);
    inode_.attributes.stored -= hidden.length;
    if (old.offset < from) put(old.part(old.offset, from));
    if (old.end() > to) put(old.part(to, old.end()));
  }
  return {};
}

Status ExtentMap::insert(Extent extent) {
  // The first look is for the neighbour in front, so that the page that it reads serves all the others too.
  if (extent.offset > 0) TRY(status_of(first_behind(extent.offset - 1)));
  TRY(remove(extent.offset, extent.end()));
  ledger_.add(inode_.map, extent);
  inode_.attributes.stored += extent.length;
  if (extent.offset > 0) {  // the one that ends where this one starts
    ASSIGN(const std::optional<Extent> before, first_behind(extent.offset - 1));
    if (before && before->end() == extent.offset && before->joins(extent)) {
      drop(*before);
      const uint64_t length = before->length + extent.length;
      extent = *before;
      extent.length = length;
    }
  }
  ASSIGN(const std::optional<Extent> behind, first_behind(extent.end()));
  if (behind && extent.joins(*behind)) {  // the one that starts where this one ends
    drop(*behind);
    extent.length += behind->length;
  }
  put(extent);
  return {};
}

Result<std::vector<Extent>> extents_in(const StoreView& view, MapId map, uint64_t from, uint64_t to, size_t limit) {
  std::vector<Extent> found;
  Status damaged;
  if (from >= to || limit == 0) return found;
  TRY(view.scan(keys::extent(map, from + 1), keys::last(Table::extent, raw(map)),
                [&](std::string_view key, std::string_view value) {
                  Result<Extent> extent = decode_extent(key, value);
                  if (!extent.ok()) {
                    damaged = extent.error();
                    return false;
                  }
                  if (extent->offset >= to) return false;
                  found.push_back(*extent);
                  return found.size() < limit;
                }));
  TRY(damaged);
  return found;
}

Result<std::optional<Extent>> first_extent_behind(const StoreView& view, MapId map, uint64_t after) {
  ASSIGN(const std::vector<Extent> found, extents_in(view, map, after, UINT64_MAX, 1));
  return found.empty() ? std::optional<Extent>() : std::optional<Extent>(found.front());
}

Result<size_t> release_extents(Transaction& transaction, SpaceLedger& ledger, MapId map, size_t limit) {
  ASSIGN(const std::vector<Extent> extents, extents_in(transaction, map, 0, UINT64_MAX, limit));
  for (const Extent& extent : extents) {
    transaction.erase(keys::extent(map, extent.end()));
    ledger.remove(map, extent);
  }
  return extents.size();
}

}  // namespace cairn
