// Clean stripes in memory, the first tier of the block cache: least recently used first out, and who is fetching which
// one.
//
// Keyed by (chunk, place), which has one content for ever, so an entry can never be stale. A stripe is fetched once:
// the first who asks for it claims it, others wait.
//
//   absent --claim--> under way --fulfil--> cached --bound--> absent
//                         |---abandon--> absent
//
// Any thread. Its mutex is a leaf. Sizes in bytes.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>

#include "common/base/buffer_spares.h"
#include "common/base/clock.h"
#include "common/base/thread.h"
#include "common/base/types.h"

namespace cairn {

struct StripeKey {
  ChunkId chunk{};
  uint64_t place = 0;
  bool operator==(const StripeKey&) const = default;
};
struct StripeKeyHash {
  size_t operator()(const StripeKey& key) const;
};

// The stripe's data bytes [first, first + bytes.size()): its present cells, or a part of them.
struct CachedStripe {
  CachedStripe(uint64_t the_first, size_t size, std::shared_ptr<BufferSpares> the_spares)
      : first(the_first), bytes(the_spares->take(size)), spares(std::move(the_spares)) {}
  bool covers(uint64_t from, uint64_t to) const { return first <= from && to <= first + bytes.size(); }
  ~CachedStripe() { spares->give(std::move(bytes)); }
  CachedStripe(const CachedStripe&) = delete;
  CachedStripe& operator=(const CachedStripe&) = delete;

  const uint64_t first;
  Buffer bytes;
  const std::shared_ptr<BufferSpares> spares;  // where the memory goes, whoever lets go of it last
};

class BlockCache {
 public:
  explicit BlockCache(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // The stripe if it is cached; waits for it if it is under way, until the deadline. Null otherwise.
  std::shared_ptr<const CachedStripe> find(const StripeKey& key, Instant deadline);
  // True: the caller fetches its bytes [from, to) and must call fulfil or abandon. False: they are cached, or something
  // of the stripe is under way.
  bool claim(const StripeKey& key, uint64_t from, uint64_t to);
  void fulfil(const StripeKey& key, std::shared_ptr<const CachedStripe> stripe);
  void abandon(const StripeKey& key);

  // A small read from a stripe: true if an earlier one of another inode was from the same stripe, so that the stripe is
  // worth fetching whole (small files that were packed together are read together).
  bool note_small_read(const StripeKey& key, InodeId inode);

  void clear();
  uint64_t cached_bytes() const;
  uint64_t entries() const;
  uint64_t limit() const { return limit_bytes_; }

 private:
  struct Entry {
    std::shared_ptr<const CachedStripe> stripe;  // null: under way
    std::list<StripeKey>::iterator recency;      // in recent_, if cached
  };
  using Entries = std::unordered_map<StripeKey, Entry, StripeKeyHash>;
  void remove(Entries::iterator entry);  // a cached one
  struct Touched {
    StripeKey key;
    InodeId inode{};
  };

  const uint64_t limit_bytes_;
  mutable Mutex mutex_;
  CondVar arrived_;
  Entries entries_;              // guarded by mutex_, as the rest
  std::list<StripeKey> recent_;  // most recently used first
  uint64_t cached_bytes_ = 0;
  std::list<Touched> touched_;  // a few, newest first
};

}  // namespace cairn
