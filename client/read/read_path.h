// Reads: one snapshot of an inode's three layers, then the bytes, without any mutex, from immutable sources.
//
//   dirty > flushing (newest first) > committed extents or inline data > zeros        up to the file's size
//
// Bytes of extents come from the memory tier of the block cache, then from its disk tier, then from the servers.
// Without a disk tier, what is not worth memory is fetched straight into the caller's buffer, and only the needed
// blocks; with one, everything goes through it, small reads by pieces of 128 KiB. Any thread. Not here: which stripes
// to fetch before they are asked for (read_ahead.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "client/client_context.h"

namespace cairn {

// Bytes [from, to) of a stripe's data.
struct ByteRange {
  uint64_t from = 0, to = 0;
};

class ReadPath {
 public:
  explicit ReadPath(ClientContext& context) : context_(context) {}

  struct Done {
    size_t bytes = 0;
    SequentialDetector::Advice advice;  // what to fetch ahead
  };
  // of_pages: LeaseKeeper::begin_fill was called, so the lease is there also while it is being recalled.
  Result<Done> read(const std::shared_ptr<Inode>& inode, uint64_t offset, std::span<uint8_t> into, bool of_pages);

  // Committed bytes [from, from + out.size()) whatever is buffered over them; zeros in holes and behind the end. For a
  // flush: busy instead of waiting for a call that changes the inode, because that call waits for the flush.
  Status read_committed(Inode& inode, uint64_t from, std::span<uint8_t> out);
  // Fetches [from, to) into the memory tier: the stripes that it touches or, for a reader that leaps, the parts of them
  // alone. Errors are left to the read that will need the bytes.
  enum class Ahead : uint8_t { stripes, parts };
  void prefetch(Inode& inode, uint64_t from, uint64_t to, Ahead kind);
  // The same into the disk tier if there is one, whatever is pushed out of it. Inline data and what is not flushed yet
  // are left out.
  Status warm(Inode& inode, uint64_t from, uint64_t to);

  // Makes sure that it is known whether the content is inline; afterwards, attributes are known too (as of now, if not
  // trusted). For a flush, as read_committed: false if a call changes the inode, which may wait for what this flush has
  // taken already.
  Result<bool> ensure_head(Inode& inode);

 private:
  // Where a part of the answer comes from.
  struct Source {
    uint64_t offset = 0;  // in the file
    uint64_t length = 0;
    Piece piece;                                     // buffered, if it has a segment
    KnownExtent extent;                              // committed, if it has a chunk
    std::shared_ptr<const std::string> inline_data;  // the file's; from offset on
  };                                                 // none of them: zeros
  struct Snapshot {
    uint64_t length = 0;
    std::vector<Source> sources;
    SequentialDetector::Advice advice;
  };
  struct Committed {  // the committed layer, wherever it is kept
    const LayoutCache* layout = nullptr;
    uint64_t size = 0;
  };

  enum class For : uint8_t {
    reader,
    pages,
    read_ahead,  // committed bytes only
    flush,       // committed bytes only, and busy where others wait until nobody changes the inode
  };
  Result<Snapshot> take_snapshot(Inode& inode, uint64_t offset, uint64_t length, For whom);
  static Snapshot build(Inode& inode, const LayoutCache& layout, uint64_t offset, uint64_t end, bool committed_only);
  static void add_committed(const LayoutCache& layout, uint64_t committed_size, uint64_t from, uint64_t to,
                            Snapshot& snapshot);
  // One page of the layout into the inode's cache. False: something changed meanwhile, look again.
  Result<bool> fetch_page(Inode& inode, uint64_t from, uint64_t to, For whom);
  // The layout of [from, to) at one version, wherever there is no lease. leased: of all its pages.
  Result<Attributes> fetch_fresh(Inode& inode, uint64_t from, uint64_t to, LayoutCache& layout, For whom,
                                 uint64_t& leased);
  bool knows(const Inode& inode, For whom) const;  // what is cached is true, for this purpose; its mutex is held
  static Status wait_for_changes(Inode& inode, For whom);
  Result<Layout> ask(Inode& inode, uint64_t from, uint64_t to, uint64_t& leased);
  Result<std::vector<KnownExtent>> known_extents(const Layout& page);

  // Calls visit for each committed stripe, or part of one, of [from, to); ends with its first error.
  Status each_stripe(Inode& inode, uint64_t from, uint64_t to, const std::function<Status(const KnownExtent&)>& visit);
  Status fill(Inode& inode, const Snapshot& snapshot, uint64_t offset, std::span<uint8_t> into);
  Status fill_extent(Inode& inode, const KnownExtent& known, bool sequential, std::span<uint8_t> out);
  // The next six are for an extent within one stripe. What memory has or may have of it; null if the wanted bytes are
  // better, or have to be, fetched straight into the reader's buffer.
  std::shared_ptr<const CachedStripe> find_or_fetch(Inode& inode, const KnownExtent& known, bool sequential);
  // Bytes [from, to) of the stripe, cached in memory afterwards. Null if they could not be fetched, or if something of
  // the stripe is under way.
  std::shared_ptr<const CachedStripe> fetch_stripe(const KnownExtent& known, ByteRange range);
  // Fills what the disk tier has of these bytes and returns the pieces that it does not have.
  std::vector<ByteRange> read_pieces(const Extent& stripe, CachedStripe& into);
  std::shared_ptr<const CachedStripe> from_disk(const Extent& wanted);  // null unless all of it is there
  // Ends a claim.
  Status keep(const StripeKey& key, const Result<std::shared_ptr<const CachedStripe>>& loaded);
  // From the disk tier or, where it does not have all of it, from the servers; then offered to the disk tier.
  Result<std::shared_ptr<const CachedStripe>> load(const KnownExtent& known, ByteRange range, DiskCache::Wish wish);
  Status fetch(const ChunkInfo& chunk, const Extent& extent, std::span<uint8_t> out);

  ClientContext& context_;
};

}  // namespace cairn
