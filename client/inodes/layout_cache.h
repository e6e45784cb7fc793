// The committed layer of one inode as far as it is known: extents, holes, inline data.
//
// A range is known (its extents and holes are exactly what the metaserver has) or not. Offsets in bytes.
// Not thread-safe: guarded by the inode's mutex. Kept exact by our own commits while this mount is the only one;
// otherwise a layout is fetched for each use. Not here: bytes in memory (write_buffer.h), fetching (read_path.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/meta/cluster.h"
#include "common/meta/requests.h"
#include "common/stripe/geometry.h"

namespace cairn {

struct KnownExtent {
  Extent extent;
  std::shared_ptr<const ChunkInfo> chunk;
};

class LayoutCache {
 public:
  // Where the content is. unknown: nobody has looked yet.
  enum class Head : uint8_t { unknown, extents, inline_data };

  Head head() const { return head_; }
  const std::shared_ptr<const std::string>& inline_data() const { return inline_; }  // null unless head() says so
  size_t count() const { return extents_.size(); }

  // Whether [from, to) is known; inline data is known as a whole.
  bool knows(uint64_t from, uint64_t to) const { return known_until(from) >= to; }
  // The end of the known range that from lies in; from if it is not known.
  uint64_t known_until(uint64_t from) const;
  // Extents in [from, to), cut to it, in order.
  std::vector<KnownExtent> within(uint64_t from, uint64_t to) const;
  size_t count_within(uint64_t from, uint64_t to) const;

  void forget();      // nothing is known any more
  void make_empty();  // a new file: all is known, and a hole
  void make_inline(std::string content);
  // An answer of the metaserver that is complete for [from, until). Requires that every extent's chunk is in chunks.
  void add_page(uint64_t from, uint64_t until, std::vector<KnownExtent> extents);
  void insert(const KnownExtent& extent);      // a commit: hides what was there
  void make_hole(uint64_t from, uint64_t to);  // a truncation or a trim

 private:
  void trim(uint64_t from, uint64_t to);
  void mark_known(uint64_t from, uint64_t to);

  Head head_ = Head::unknown;
  std::shared_ptr<const std::string> inline_;
  std::map<uint64_t, KnownExtent> extents_;  // by file offset, not overlapping
  std::map<uint64_t, uint64_t> known_;       // from -> to, neither overlapping nor touching
};

}  // namespace cairn
