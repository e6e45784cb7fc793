// The extents of one file: sorted, never overlapping, joined where file and run both go on. Gaps read as zeros.
//
//   before   |---- a ----|      |---- b ----|
//   insert         |======= new =======|
//   after    |- a -|======= new =======|- b -|      what is hidden gives its live bytes back
//
// A row's key is the offset behind the extent's last byte, so one forward scan from an offset finds whatever overlaps
// it. Each change keeps the inode's `extents` and `stored`, and tells the ledger. The caller writes the inode. Cost:
// the extents touched, and their stripes within the changed range. Rows are read ahead in growing pages, so that a
// commit of many small extents walks over the store once: a seek for each of them would skip the same erased rows again
// and again.
#pragma once

#include <map>

#include "metaserver/state/space_ledger.h"

namespace cairn {

class ExtentMap {
 public:
  // All three outlive it. inode.map says which rows are meant.
  ExtentMap(Transaction& transaction, SpaceLedger& ledger, LogIndex index, InodeRow& inode);

  // Requires valid(extent). Trims what it hides; joins its neighbours.
  Status insert(Extent extent);
  // Takes [from, to) out: it reads as zeros. Requires from < to.
  Status remove(uint64_t from, uint64_t to);

 private:
  void put(const Extent& extent);
  void drop(const Extent& extent);
  // The first extent whose end is more than `after`.
  Result<std::optional<Extent>> first_behind(uint64_t after);
  Status read_page(uint64_t after);

  Transaction& rows_;
  SpaceLedger& ledger_;
  LogIndex index_;
  InodeRow& inode_;

  // Every extent whose end is in (page_from_, page_to_], by end. As the rows are: put and drop change both.
  std::map<uint64_t, Extent> page_;
  uint64_t page_from_ = 0;
  uint64_t page_to_ = 0;
  size_t page_size_ = 2;  // of the last one; the next is larger
};

// The first extent with more than `after` as its end, which is the first that can overlap bytes from `after` on; none:
// no more.
Result<std::optional<Extent>> first_extent_behind(const StoreView& view, MapId map, uint64_t after);
// All extents overlapping [from, to), ascending, at most `limit`.
Result<std::vector<Extent>> extents_in(const StoreView& view, MapId map, uint64_t from, uint64_t to, size_t limit);

// Gives up to `limit` extents of a map back that no inode uses any more. Returns how many there were.
Result<size_t> release_extents(Transaction& transaction, SpaceLedger& ledger, MapId map, size_t limit);

}  // namespace cairn
