#include "client/read/read_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "common/probes/rare_path.h"
#include "common/stripe/stripe_reader.h"

namespace cairn {

namespace {

constexpr uint32_t kPageExtents = 1024;
constexpr uint64_t kPageBytes = 256u << 20;   // asked for at once, at least: few extents cover much of a streamed file
constexpr size_t kMaxExtentsOfInode = 16384;  // cached; more are forgotten before the next read
constexpr uint32_t kSmallStripeBytes = 256 << 10;
constexpr int kSnapshotAttempts = 1000;  // lost races against our own commits, each of which is progress

StripeKey key_of(const Extent& extent) { return {extent.chunk, extent.place}; }

PieceKey piece_key(const Extent& extent, uint64_t first) {
  return {extent.chunk, extent.place, static_cast<uint32_t>(first)};
}

// The part of the extent that lies in the stripe it begins in.
Extent first_stripe(const Extent& extent) {
  const uint64_t left = extent.shape.data_bytes() - extent.position;
  return extent.part(extent.offset, extent.offset + std::min(extent.length, left));
}

// The bytes of the stripe's data that are stored: its present cells lie side by side.
ByteRange present_bytes(const StripeShape& shape) {
  const uint64_t first = std::countr_zero(shape.present);
  const uint64_t cells = std::countr_one(shape.present >> first);
  return {first * shape.cell_bytes, (first + cells) * shape.cell_bytes};
}

// The pieces (cache_record.h) that hold this part of a stripe.
ByteRange pieces_around(const Extent& part) {
  const ByteRange present = present_bytes(part.shape);
  return {std::max(present.from, part.position / kPieceBytes * kPieceBytes),
          piece_end(part.position + part.length - 1, present.to)};
}

bool worth_a_new_layout(Errc code) {
  return code == Errc::corrupt || code == Errc::io || code == Errc::unavailable || code == Errc::timed_out ||
         code == Errc::not_found || code == Errc::stale_epoch;
}

}  // namespace

Result<ReadPath::Done> ReadPath::read(const std::shared_ptr<Inode>& inode, uint64_t offset, std::span<uint8_t> into,
                                      bool of_pages) {
  for (int attempt = 0;; ++attempt) {
    ASSIGN(const Snapshot snapshot, take_snapshot(*inode, offset, into.size(), of_pages ? For::pages : For::reader));
    const Status status = fill(*inode, snapshot, offset, into.first(snapshot.length));
    if (status.ok()) return Done{snapshot.length, snapshot.advice};
    if (attempt > 0 || !worth_a_new_layout(status.code())) {
      return Error{Errc::io, fmt::format("reading inode {} at {}: {}", raw(inode->id), offset, status.error().what)};
    }
    // The chunk may have been folded, repaired or deleted since its layout was fetched.
    ++context_.statistics.read_retries;
    Lock lock(inode->mutex);
    inode->file().layout.forget();
  }
}

Status ReadPath::read_committed(Inode& inode, uint64_t from, std::span<uint8_t> out) {
  ASSIGN(const Snapshot snapshot, take_snapshot(inode, from, out.size(), For::flush));
  return fill(inode, snapshot, from, out);
}

bool ReadPath::knows(const Inode& inode, For whom) const {
  // A program waits until a recall is over. Others must not: the recall waits for them.
  return whom == For::reader ? context_.leases->trusted(inode) : context_.leases->holds(inode);
}

Result<ReadPath::Snapshot> ReadPath::take_snapshot(Inode& inode, uint64_t offset, uint64_t length, For whom) {
  const bool committed_only = whom != For::reader && whom != For::pages;
  bool first = true;
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    Lock lock(inode.mutex);
    if (whom == For::reader) context_.leases->wait_for_recall(inode, lock);
    FileState& file = inode.file();
    if (!knows(inode, whom)) {
      lock.unlock();
      LayoutCache fresh;
      const ClientContext::Asked asked = context_.asking();
      uint64_t leased = 0;
      ASSIGN(const Attributes attributes, fetch_fresh(inode, offset, offset + length, fresh, whom, leased));
      lock.lock();
      if (file.changing || attributes.version < inode.attributes.version) continue;  // older than what we did meanwhile
      const bool keep = context_.leases->take(inode, asked.lease, leased) && inode.changed_at <= asked.at;
      inode.learn(attributes, keep);
      const uint64_t end = committed_only ? offset + length : std::clamp(inode.size(), offset, offset + length);
      Snapshot snapshot = build(inode, fresh, offset, end, committed_only);
      if (keep) file.layout = std::move(fresh);
      return snapshot;
    }
    if (first && file.layout.count() > kMaxExtentsOfInode) file.layout.forget();
    first = false;
    uint64_t unknown = offset;
    if (inode.attributes_known) {
      const uint64_t end = committed_only ? offset + length : std::clamp(inode.size(), offset, offset + length);
      const uint64_t needed = std::min(end, std::max(offset, inode.attributes.size));
      unknown = file.layout.known_until(offset);
      if (unknown >= needed) {
        const auto advice = committed_only
                                ? SequentialDetector::Advice{}
                                : file.detector.on_read(offset, end - offset, inode.attributes.size,
                                                        std::max<uint64_t>(1 << 20, context_.blocks.limit() / 8));
        Snapshot snapshot = build(inode, file.layout, offset, end, committed_only);
        snapshot.advice = advice;
        return snapshot;
      }
    }
    lock.unlock();
    TRY(fetch_page(inode, unknown, std::max(offset + length, unknown + 1), whom));
  }
  return Error{Errc::io, fmt::format("inode {}: its layout changes faster than it can be read", raw(inode.id))};
}

ReadPath::Snapshot ReadPath::build(Inode& inode, const LayoutCache& layout, uint64_t offset, uint64_t end,
                                   bool committed_only) {
  Snapshot snapshot;
  snapshot.length = end - offset;
  const FileState& file = inode.file();
  const uint64_t committed_size = inode.attributes.size;
  // From the newest layer down: what is left uncovered is looked for in the next.
  PieceMap buffered;
  if (!committed_only) {
    for (const auto& layer : file.flushing) {
      for (const Piece& piece : layer->pieces.within(offset, end)) buffered.insert(piece);
    }
    for (const Piece& piece : file.dirty.pieces().within(offset, end)) buffered.insert(piece);
  }
  uint64_t at = offset;
  for (const auto& [begin, piece] : buffered) {
    add_committed(layout, committed_size, at, begin, snapshot);
    snapshot.sources.push_back({begin, piece.length, piece, {}, nullptr});
    at = piece.end();
  }
  add_committed(layout, committed_size, at, end, snapshot);
  return snapshot;
}

void ReadPath::add_committed(const LayoutCache& layout, uint64_t committed_size, uint64_t from, uint64_t to,
                             Snapshot& snapshot) {
  const uint64_t until = std::min(to, std::max(from, committed_size));
  const auto add_zeros = [&](uint64_t begin, uint64_t end) {
    if (begin < end) snapshot.sources.push_back({begin, end - begin, {}, {}, nullptr});
  };
  uint64_t at = from;
  if (layout.head() == LayoutCache::Head::inline_data) {
    const uint64_t inline_end = std::min<uint64_t>(until, layout.inline_data()->size());
    if (at < inline_end) {
      snapshot.sources.push_back({at, inline_end - at, {}, {}, layout.inline_data()});
      at = inline_end;
    }
  } else {
    for (KnownExtent& known : layout.within(from, until)) {
      add_zeros(at, known.extent.offset);
      at = known.extent.end();
      const uint64_t begin = known.extent.offset, length = known.extent.length;
      snapshot.sources.push_back({begin, length, {}, std::move(known), nullptr});
    }
  }
  add_zeros(at, to);
}

Result<Layout> ReadPath::ask(Inode& inode, uint64_t from, uint64_t to, uint64_t& leased) {
  ++context_.statistics.layout_fetches;
  const uint64_t until = std::min<uint64_t>(std::max(to, from + kPageBytes), kMaxFileBytes);
  ASSIGN(Layout page, context_.noted(context_.meta.layout(inode.id, from, until - from, kPageExtents, &leased)));
  if (page.inline_data) return page;
  if (page.covered_until <= from) {
    return Error{Errc::invalid,
                 fmt::format("the metaserver's layout of inode {} makes no progress at {}", raw(inode.id), from)};
  }
  // Behind the end there is nothing: a reader of a small file need not ask again.
  if (page.covered_until >= page.attributes.size) page.covered_until = kMaxFileBytes;
  return page;
}

Result<std::vector<KnownExtent>> ReadPath::known_extents(const Layout& page) {
  std::unordered_map<ChunkId, std::shared_ptr<const ChunkInfo>> chunks;
  for (const ChunkInfo& info : page.chunks) chunks[info.chunk] = context_.chunk_infos.intern(info);
  std::vector<KnownExtent> extents;
  extents.reserve(page.extents.size());
  for (const Extent& extent : page.extents) {
    const auto chunk = chunks.find(extent.chunk);
    if (!valid(extent) || chunk == chunks.end() || chunk->second->code != extent.shape.code) {
      return Error{Errc::invalid, fmt::format("the metaserver's layout names chunk {} wrongly", raw(extent.chunk))};
    }
    extents.push_back({extent, chunk->second});
  }
  return extents;
}

Status ReadPath::wait_for_changes(Inode& inode, For whom) {
  Lock lock(inode.mutex);
  if (whom == For::flush && inode.file().changing) {
    return Error{Errc::busy, fmt::format("inode {}: its size or extents are being changed", raw(inode.id))};
  }
  inode.changed.wait(lock, [&] { return !inode.file().changing; });
  return {};
}

Result<bool> ReadPath::fetch_page(Inode& inode, uint64_t from, uint64_t to, For whom) {
  const ClientContext::Asked asked = context_.asking();
  uint64_t leased = 0;
  TRY(wait_for_changes(inode, whom));
  ASSIGN(Layout page, ask(inode, from, to, leased));
  ASSIGN(std::vector<KnownExtent> extents, known_extents(page));
  Lock lock(inode.mutex);
  FileState& file = inode.file();
  if (file.changing || inode.changed_at > asked.at || page.attributes.version < inode.attributes.version) return false;
  const bool keep = context_.leases->take(inode, asked.lease, leased) ||
                    (whom == For::reader ? context_.leases->may_keep(inode, asked.lease)
                                         : context_.leases->may_keep_for_recall(inode, asked.lease));
  if (!keep) return false;
  // It may show a commit of ours whose answer is still under way: then other pages are older.
  if (page.attributes.version > inode.attributes.version && !file.flushing.empty()) file.layout.forget();
  inode.learn(page.attributes, true);
  if (page.inline_data) {
    file.layout.make_inline(std::move(*page.inline_data));
  } else {
    file.layout.add_page(from, page.covered_until, std::move(extents));
  }
  return true;
}

Result<Attributes> ReadPath::fetch_fresh(Inode& inode, uint64_t from, uint64_t to, LayoutCache& layout, For whom,
                                         uint64_t& leased) {
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    TRY(wait_for_changes(inode, whom));
    layout.forget();
    std::optional<Attributes> seen;
    for (uint64_t at = from;;) {
      uint64_t of_page = 0;
      ASSIGN(Layout page, ask(inode, at, std::max(to, at + 1), of_page));
      leased = at == from || of_page == leased ? of_page : 0;
      ASSIGN(std::vector<KnownExtent> extents, known_extents(page));
      if (seen && seen->version != page.attributes.version) break;  // changed between two pages
      seen = page.attributes;
      if (page.inline_data) {
        layout.make_inline(std::move(*page.inline_data));
        return *seen;
      }
      layout.add_page(at, page.covered_until, std::move(extents));
      at = page.covered_until;
      if (at >= to) return *seen;
    }
  }
  return Error{Errc::io, fmt::format("inode {}: other mounts change it faster than it can be read", raw(inode.id))};
}

Result<bool> ReadPath::ensure_head(Inode& inode) {
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    if (const Status free = wait_for_changes(inode, For::flush); !free.ok()) return false;
    bool known = false;
    {
      Lock lock(inode.mutex);
      known = knows(inode, For::flush);
      if (known && inode.attributes_known && inode.file().layout.head() != LayoutCache::Head::unknown) return true;
    }
    if (!known) {
      LayoutCache fresh;
      uint64_t leased = 0;
      const Result<Attributes> attributes = fetch_fresh(inode, 0, 1, fresh, For::flush, leased);
      if (!attributes.ok() && attributes.code() == Errc::busy) return false;
      if (!attributes.ok()) return attributes.error();
      Lock lock(inode.mutex);
      if (inode.file().changing || attributes->version < inode.attributes.version) continue;
      inode.learn(*attributes, false);
      inode.file().layout = std::move(fresh);
      return true;
    }
    const Result<bool> page = fetch_page(inode, 0, 1, For::flush);
    if (!page.ok() && page.code() == Errc::busy) return false;
    if (!page.ok()) return page.error();
  }
  return Error{Errc::io, fmt::format("inode {}: its layout changes faster than it can be read", raw(inode.id))};
}

Status ReadPath::each_stripe(Inode& inode, uint64_t from, uint64_t to,
                             const std::function<Status(const KnownExtent&)>& visit) {
  ASSIGN(const Snapshot snapshot, take_snapshot(inode, from, to - from, For::read_ahead));
  for (const Source& source : snapshot.sources) {
    if (source.extent.chunk == nullptr) continue;
    for (KnownExtent rest = source.extent;;) {
      const Extent stripe = first_stripe(rest.extent);
      TRY(visit({stripe, rest.chunk}));
      if (stripe.end() == rest.extent.end()) break;
      rest.extent = rest.extent.part(stripe.end(), rest.extent.end());
    }
  }
  return {};
}

void ReadPath::prefetch(Inode& inode, uint64_t from, uint64_t to, Ahead kind) {
  (void)each_stripe(inode, from, to, [&](const KnownExtent& known) -> Status {
    (void)fetch_stripe(known, kind == Ahead::parts ? pieces_around(known.extent) : present_bytes(known.extent.shape));
    return {};
  });
}

Status ReadPath::warm(Inode& inode, uint64_t from, uint64_t to) {
  return each_stripe(inode, from, to, [&](const KnownExtent& known) -> Status {
    if (context_.disk_cache != nullptr) {
      TRY(load(known, pieces_around(known.extent), DiskCache::Wish::must));
      return {};
    }
    const ByteRange all = present_bytes(known.extent.shape);
    const StripeKey key = key_of(known.extent);
    if (!context_.blocks.claim(key, all.from, all.to)) return {};
    return keep(key, load(known, all, DiskCache::Wish::if_worth));
  });
}

Status ReadPath::fill(Inode& inode, const Snapshot& snapshot, uint64_t offset, std::span<uint8_t> into) {
  for (const Source& source : snapshot.sources) {
    const std::span<uint8_t> out = into.subspan(source.offset - offset, source.length);
    if (source.piece.segment != nullptr) {
      std::memcpy(out.data(), source.piece.data(), out.size());
    } else if (source.extent.chunk != nullptr) {
      TRY(fill_extent(inode, source.extent, snapshot.advice.sequential, out));
    } else if (source.inline_data != nullptr) {
      std::memcpy(out.data(), source.inline_data->data() + source.offset, out.size());
    } else {
      std::memset(out.data(), 0, out.size());
    }
  }
  return {};
}

Status ReadPath::fill_extent(Inode& inode, const KnownExtent& known, bool sequential, std::span<uint8_t> out) {
  const Extent& all = known.extent;
  uint64_t direct_from = all.offset;  // [direct_from, at) is to be fetched straight into out
  uint64_t at = all.offset;
  const auto fetch_direct = [&]() -> Status {
    if (direct_from == at) return {};
    ++context_.statistics.direct_extents;
    return fetch(*known.chunk, all.part(direct_from, at), out.subspan(direct_from - all.offset, at - direct_from));
  };
  while (at < all.end()) {
    const KnownExtent stripe{first_stripe(all.part(at, all.end())), known.chunk};
    const Extent& wanted = stripe.extent;
    const std::shared_ptr<const CachedStripe> cached = find_or_fetch(inode, stripe, sequential);
    if (cached == nullptr || !cached->covers(wanted.position, wanted.position + wanted.length)) {
      at = wanted.end();
      continue;
    }
    TRY(fetch_direct());
    std::memcpy(out.data() + (wanted.offset - all.offset), cached->bytes.data() + (wanted.position - cached->first),
                wanted.length);
    at = direct_from = wanted.end();
  }
  return fetch_direct();
}

std::shared_ptr<const CachedStripe> ReadPath::find_or_fetch(Inode& inode, const KnownExtent& known, bool sequential) {
  const Extent& wanted = known.extent;
  const StripeKey key = key_of(wanted);
  DiskCache* disk = context_.disk_cache.get();
  std::shared_ptr<const CachedStripe> cached =
      context_.blocks.find(key, context_.clock.now() + context_.options.io_timeout);
  if (cached != nullptr && cached->covers(wanted.position, wanted.position + wanted.length)) {
    ++context_.statistics.cached_stripe_hits;
    const ByteRange pieces = pieces_around(wanted);
    if (disk != nullptr) disk->note_use(wanted.chunk, wanted.place, pieces.from, pieces.to);
    return cached;
  }
  ++context_.statistics.cached_stripe_misses;
  const bool whole = wanted.length * 2 > wanted.shape.data_bytes();  // little is gained by fetching it all
  const bool neighbours =
      wanted.shape.data_bytes() <= kSmallStripeBytes && context_.blocks.note_small_read(key, inode.id);
  const bool worth_memory = (sequential && !whole) || neighbours;
  if (worth_memory || (disk != nullptr && whole)) {
    cached = fetch_stripe(known, present_bytes(wanted.shape));
    // Somebody else may be fetching it, or the servers are gone and the disk has only what is wanted.
    return cached != nullptr || disk == nullptr ? cached : from_disk(wanted);
  }
  if (disk == nullptr) return nullptr;
  // A few pieces, and not into memory: the kernel keeps the cache's files in its own.
  Result<std::shared_ptr<const CachedStripe>> pieces = load(known, pieces_around(wanted), DiskCache::Wish::if_worth);
  return pieces.ok() ? std::move(pieces).value() : nullptr;
}

std::vector<ByteRange> ReadPath::read_pieces(const Extent& stripe, CachedStripe& into) {
  std::vector<ByteRange> absent;
  const uint64_t end = into.first + into.bytes.size();
  for (uint64_t at = into.first; at < end; at = piece_end(at, end)) {
    const ByteRange piece{at, piece_end(at, end)};
    const std::span<uint8_t> out = into.bytes.span().subspan(at - into.first, piece.to - at);
    if (!context_.disk_cache->read(piece_key(stripe, at), out)) absent.push_back(piece);
  }
  return absent;
}

std::shared_ptr<const CachedStripe> ReadPath::from_disk(const Extent& wanted) {
  const ByteRange range = pieces_around(wanted);
  const auto pieces = std::make_shared<CachedStripe>(range.from, range.to - range.from, context_.spares);
  return read_pieces(wanted, *pieces).empty() ? pieces : nullptr;
}

std::shared_ptr<const CachedStripe> ReadPath::fetch_stripe(const KnownExtent& known, ByteRange range) {
  const StripeKey key = key_of(known.extent);
  if (!context_.blocks.claim(key, range.from, range.to)) return nullptr;
  Result<std::shared_ptr<const CachedStripe>> loaded = load(known, range, DiskCache::Wish::if_worth);
  if (!keep(key, loaded).ok()) return nullptr;
  return std::move(loaded).value();
}

Status ReadPath::keep(const StripeKey& key, const Result<std::shared_ptr<const CachedStripe>>& loaded) {
  if (!loaded.ok()) {
    context_.blocks.abandon(key);
    return loaded.error();
  }
  context_.blocks.fulfil(key, *loaded);
  return {};
}

Result<std::shared_ptr<const CachedStripe>> ReadPath::load(const KnownExtent& known, ByteRange range,
                                                           DiskCache::Wish wish) {
  const Extent& stripe = known.extent;
  const auto loaded = std::make_shared<CachedStripe>(range.from, range.to - range.from, context_.spares);
  const auto part_of = [&](uint64_t from, uint64_t to) {
    return loaded->bytes.span().subspan(from - range.from, to - from);
  };
  DiskCache* disk = context_.disk_cache.get();
  ByteRange missing = range;
  std::vector<ByteRange> absent;  // pieces that the disk tier does not have
  if (disk != nullptr) {
    absent = read_pieces(stripe, *loaded);
    if (absent.empty()) return std::shared_ptr<const CachedStripe>(loaded);
    missing = {absent.front().from, absent.back().to};
  }
  Extent asked = stripe;
  asked.offset = 0;
  asked.position = missing.from;
  asked.length = missing.to - missing.from;
  TRY(fetch(*known.chunk, asked, part_of(missing.from, missing.to)));
  ++context_.statistics.fetched_stripes;
  for (const ByteRange& piece : absent)
    disk->admit(piece_key(stripe, piece.from), loaded, part_of(piece.from, piece.to), wish);
  return std::shared_ptr<const CachedStripe>(loaded);
}

Status ReadPath::fetch(const ChunkInfo& chunk, const Extent& extent, std::span<uint8_t> out) {
  ReadOptions options;
  options.give_up_after = context_.options.io_timeout;
  const ChunkInfo latest = context_.moved_chunks.latest(chunk);
  ReadOutcome outcome = read_extent(context_.chunks, context_.clock, latest, extent, out, options);
  if (context_.moved_chunks.learn(latest, outcome) && !outcome.status.ok()) {
    outcome = read_extent(context_.chunks, context_.clock, context_.moved_chunks.latest(chunk), extent, out, options);
  }
  Statistics& statistics = context_.statistics;
  statistics.decoded_stripes += outcome.decoded_stripes;
  statistics.hedged_cells += outcome.hedged_cells;
  statistics.read_troubles += outcome.troubles.size();
  reached(RarePath::degraded_read, outcome.decoded_stripes);
  reached(RarePath::hedged_read, outcome.hedged_cells);
  reached(RarePath::damaged_record,
          static_cast<uint64_t>(std::ranges::count_if(
              outcome.troubles, [](const ReadTrouble& trouble) { return trouble.error.code == Errc::corrupt; })));
  return outcome.status;
}

}  // namespace cairn
