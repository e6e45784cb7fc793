// What a client has done since it was mounted, as counters that any thread may raise.
#pragma once

#include <atomic>
#include <cstdint>

namespace cairn {

struct Statistics {
  using Count = std::atomic<uint64_t>;
  Count reads = 0, read_bytes = 0, writes = 0, written_bytes = 0, syncs = 0;
  Count cached_stripe_hits = 0, cached_stripe_misses = 0, fetched_stripes = 0,
        direct_extents = 0;  // where read bytes came from
  Count decoded_stripes = 0, hedged_cells = 0, read_troubles = 0, read_retries = 0;
  Count flushes = 0, flush_failures = 0, stored_stripes = 0, stored_bytes = 0, inline_files = 0, rewritten_tails = 0;
  Count commits = 0, committed_files = 0, chunks_granted = 0, chunks_broken = 0, chunks_sealed = 0;
  Count name_hits = 0, name_misses = 0, attribute_hits = 0, attribute_misses = 0, layout_fetches = 0;
  Count listing_hits = 0, listing_misses = 0;
  Count orphans_forgotten = 0, dropped_bytes = 0, recalls = 0, lost_sessions = 0;
};

}  // namespace cairn
