// What the parts of one mounted client share: the edges, the connections, the tables. Made by Filesystem::mount,
// outlives them all.
//
// Order of mutexes: an inode's, then any of the leaves (tables, budget, flusher, pool, cache). No mutex is held across
// a call.
#pragma once

#include <memory>

#include "client/cache/block_cache.h"
#include "client/cache/disk_cache.h"
#include "client/filesystem.h"
#include "client/inodes/directory_listing.h"
#include "client/inodes/inode_cache.h"
#include "client/inodes/inode_details.h"
#include "client/inodes/inode_lru.h"
#include "client/inodes/name_cache.h"
#include "client/read/moved_chunks.h"
#include "client/sessions/cluster_view.h"
#include "client/sessions/lease_keeper.h"
#include "client/sessions/session_keeper.h"
#include "client/statistics.h"
#include "client/write/buffer_budget.h"
#include "common/rpc/chunk_client.h"
#include "common/rpc/meta_client.h"

namespace cairn {

inline constexpr size_t kSpareBytes = 16u
                                      << 20;  // big buffers kept for reuse, beyond what caches and buffered writes hold

struct ClientContext {
  ClientContext(Network& a_network, Clock& a_clock, FilesystemOptions the_options)
      : network(a_network),
        clock(a_clock),
        options(std::move(the_options)),
        meta(network, clock, options.metaserver, MetaClient::Options{options.io_timeout}),
        cluster(meta),
        chunks(network, clock, [this](ServerId server, bool refresh) { return cluster.address_of(server, refresh); }),
        moved_chunks(clock, [this](ChunkId chunk) { return row_of(chunk); }),
        inodes(options.cached_inodes),
        names(options.cached_names),
        listings({options.listing_bytes, options.listing_bytes / 4}),
        details({options.detail_bytes, options.detail_bytes / 4}),
        blocks(options.cache_bytes),
        budget(std::make_shared<BufferBudget>(options.dirty_bytes, spares)) {}

  // Passes an error on, after noticing whether it says that the session has ended.
  Error noted(Error error) {
    if (session) session->note(error);
    return error;
  }
  template <typename T>
  Result<T> noted(Result<T> result) {
    if (!result.ok()) return noted(result.error());
    return result;
  }
  Status noted(Status status) {
    if (!status.ok()) return noted(status.error());
    return status;
  }
  Result<ChunkInfo> row_of(ChunkId chunk) {
    ASSIGN(std::vector<ChunkInfo> rows, meta.list_chunks(ChunkId{raw(chunk) - 1}, 1));
    if (rows.empty() || rows.front().chunk != chunk) return Error{Errc::not_found, "the chunk is gone"};
    return std::move(rows.front());
  }
  Time wall_time() const {
    const int64_t ns = clock.wall_ns();
    return {ns / 1'000'000'000, static_cast<uint32_t>(ns % 1'000'000'000)};
  }

  // Stamps of our own changes: an answer that was asked for at change n is stale for an inode that changed after n.
  uint64_t changes_now() const { return changes.load(std::memory_order_acquire); }
  // When an answer was asked for, so that it is only kept if nothing has changed since.
  struct Asked {
    uint64_t at = 0;
    LeaseKeeper::Asked lease;
  };
  Asked asking() const { return {changes_now(), leases->asking()}; }
  uint64_t next_change() { return changes.fetch_add(1, std::memory_order_acq_rel) + 1; }

  Network& network;
  Clock& clock;
  const FilesystemOptions options;
  Statistics statistics;
  MetaClient meta;
  ClusterView cluster;
  ChunkClient chunks;
  const std::shared_ptr<BufferSpares> spares = std::make_shared<BufferSpares>(kSpareBytes);
  ChunkDirectory chunk_infos;
  MovedChunks moved_chunks;
  InodeTable inodes;
  NameCache names;
  InodeLru<DirectoryListing> listings;  // forgotten when the directory changes or its lease goes
  InodeLru<InodeDetails> details;       // forgotten when the inode's xattrs change or its lease goes
  BlockCache blocks;
  std::unique_ptr<DiskCache> disk_cache;  // null: there is none; set before the first thread begins
  std::shared_ptr<BufferBudget> budget;
  std::unique_ptr<SessionKeeper> session;
  std::unique_ptr<LeaseKeeper> leases;
  std::atomic<uint64_t> changes = 0;
};

}  // namespace cairn
