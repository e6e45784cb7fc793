#include "metaserver/extent_map.h"

namespace cairn {

ExtentMap::ExtentMap(Transaction& transaction, SpaceLedger& ledger, LogIndex index, InodeRow& inode)
    : rows_(transaction), ledger_(ledger), index_(index), inode_(inode) {}

void ExtentMap::put(const Extent& extent) {
  rows_.put(keys::extent(inode_.map, extent.end()), encode_row(ExtentRow{index_, extent}));
  ++inode_.extents;
}

void ExtentMap::drop(const Extent& extent) {
  rows_.erase(keys::extent(inode_.map, extent.end()));
  --inode_.extents;
}

Status ExtentMap::remove(uint64_t from, uint64_t to) {
  if (inode_.extents == 0) return {};
  ASSIGN(const std::vector<Extent> overlapping, extents_in(rows_, inode_.map, from, to, SIZE_MAX));
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
  TRY(remove(extent.offset, extent.end()));
  ledger_.add(inode_.map, extent);
  inode_.attributes.stored += extent.length;
  if (inode_.extents > 0 && extent.offset > 0) {  // the one that ends where this one starts
    ASSIGN(const std::optional<Extent> before, first_extent_behind(rows_, inode_.map, extent.offset - 1));
    if (before && before->end() == extent.offset && before->joins(extent)) {
      drop(*before);
      const uint64_t length = before->length + extent.length;
      extent = *before;
      extent.length = length;
    }
  }
  if (inode_.extents > 0) {  // the one that starts where this one ends
    ASSIGN(const std::optional<Extent> behind, first_extent_behind(rows_, inode_.map, extent.end()));
    if (behind && extent.joins(*behind)) {
      drop(*behind);
      extent.length += behind->length;
    }
  }
  put(extent);
  return {};
}

Result<std::vector<Extent>> extents_in(const StoreView& view, MapId map, uint64_t from, uint64_t to, size_t limit) {
  std::vector<Extent> found;
  Status damaged;
  if (from >= to || limit == 0) return found;
  TRY(view.scan(keys::extent(map, from + 1), keys::last(Table::extent, raw(map)), [&](std::string_view key, std::string_view value) {
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
