// Everything that only looks: reads over one consistent view, without a mutex and without waiting. Any thread.
//
// Errors of the namespace are those of the mount (not_found, not_directory, stale_handle, ...); `corrupt` and `io` mean
// that the store itself failed. Lists are ascending and bounded by `limit`; a page that is full is continued after its
// last element. Not here: who is up and who holds which lease (membership.h, leases).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/meta/attributes.h"
#include "common/meta/cluster.h"
#include "common/meta/requests.h"
#include "common/meta/session.h"
#include "common/meta/shards.h"
#include "metaserver/state/command.h"
#include "metaserver/store/ordered_store.h"

namespace cairn::queries {

// Names and files.
Result<Entry> lookup(const StoreView& view, InodeId parent, std::string_view name);
Result<Attributes> attributes(const StoreView& view, InodeId inode);  // stale_handle: it is gone
Result<std::string> readlink(const StoreView& view, InodeId inode);
// Entries with a cookie above after_cookie (0: from the start; "." and ".." are the caller's).
Result<DirectoryPage> directory(const StoreView& view, InodeId inode, uint64_t after_cookie, uint32_t limit);
Result<std::string> xattr(const StoreView& view, InodeId inode, std::string_view name);  // also cairn.policy
Result<std::vector<std::string>> xattr_names(const StoreView& view, InodeId inode);      // without cairn.*
// Extents overlapping [offset, offset + length), at most `limit`, and the chunks they name; complete up to
// covered_until. Gaps and everything behind inline data read as zeros, up to the size.
Result<Layout> layout(const StoreView& view, InodeId inode, uint64_t offset, uint64_t length, uint32_t limit);

// Chunks.
Result<ChunkInfo> chunk(const StoreView& view, ChunkId chunk);
Result<std::vector<ChunkInfo>> chunks(const StoreView& view, ChunkId after, uint32_t limit);
// Where that shard of the chunk must at least end, by the live stripes that have a cell in it. 0: it may be empty.
Result<uint64_t> least_shard_end(const StoreView& view, const ChunkInfo& chunk, uint8_t shard);
struct OpenChunkRecord {
  SessionId owner{};
  ChunkId chunk{};
};
Result<std::vector<OpenChunkRecord>> open_chunks(const StoreView& view);  // of everyone
Result<std::vector<OpenChunkRecord>> open_chunks(const StoreView& view, SessionId session);

// The janitor's work lists; each is answered by a command that takes the elements off the list.
// Sealed chunks whose servers have not all confirmed the seal -> SealsConfirmed.
Result<std::vector<ChunkInfo>> pending_seals(const StoreView& view, ChunkId after, uint32_t limit);
// Dead stripes of chunks that still exist, that died at or before the time -> punch [place, place + length) of every
// shard, StripesPunched.
struct DeadStripeRecord {
  DeadStripe stripe;
  uint64_t length = 0;  // bytes of each shard, a multiple of 4096
  int64_t died_ns = 0;
};
Result<std::vector<DeadStripeRecord>> dead_stripes(const StoreView& view, int64_t died_until_ns, uint32_t limit);
// Sealed chunks without a live byte since then or longer -> CondemnChunks.
struct DeadChunkRecord {
  ChunkId chunk{};
  int64_t died_ns = 0;
};
Result<std::vector<DeadChunkRecord>> dead_chunks(const StoreView& view, int64_t died_until_ns, uint32_t limit);
// Chunks whose shards are to be removed now -> ChunksRemoved.
Result<std::vector<ChunkInfo>> condemned_chunks(const StoreView& view, ChunkId after, uint32_t limit);
// Shards of a server that are in the way, of chunks behind `after` -> StaleShardsRemoved.
struct StaleShardRecord {
  StaleShard shard;
  int64_t since_ns = 0;
};
Result<std::vector<StaleShardRecord>> stale_shards(const StoreView& view, ServerId server, ChunkId after,
                                                   uint32_t limit);
Result<std::optional<int64_t>> stale_since_ns(const StoreView& view, const StaleShard& shard);  // none: it is not
// The stripes of a chunk from a place on, without punched ones, whose space is given back.
Result<std::vector<StripeAt>> stripes(const StoreView& view, ChunkId chunk, uint64_t from, uint32_t limit);
// Whether that stripe is punched. not_found: there is no such stripe.
Result<bool> punched(const StoreView& view, ChunkId chunk, uint64_t place);
// Extent maps of deleted files -> ReleaseExtents, until they leave this list. (A map is named by an InodeId.)
Result<std::vector<InodeId>> maps_to_release(const StoreView& view, uint32_t limit);

// The cluster.
struct SessionRecord {
  SessionId session{};
  SessionRequest request;
  int64_t opened_ns = 0;
};
Result<std::vector<SessionRecord>> sessions(const StoreView& view);
Result<std::optional<SessionRecord>> session(const StoreView& view, SessionId session);
struct ServerRecord {
  ServerId server{};
  std::string uuid;
  Address address;
  Labels labels;
  ServerState state = ServerState::active;
};
Result<std::vector<ServerRecord>> servers(const StoreView& view);
Result<std::vector<StorageClass>> classes(const StoreView& view);
Result<StorageClass> storage_class(const StoreView& view, ClassId id);

// The answer of a request that was already applied.
Result<std::optional<Outcome>> outcome(const StoreView& view, SessionId session, RequestId request);

// Sums, and what the next ids are.
struct Counters {
  uint64_t inodes = 0;  // orphans included
  uint64_t chunks = 0;  // condemned ones included
  uint64_t open_chunks = 0;
  uint64_t shortened_chunks = 0;  // code with d below its class's at creation
  uint64_t live_bytes = 0;        // of all extents
  uint64_t pending_punches = 0;   // dead stripes
  uint64_t garbage_chunks = 0;    // dead or condemned
  uint64_t sessions = 0;
  Epoch map_epoch{};  // of servers and classes
  uint64_t next_inode = 0, next_chunk = 0, next_session = 0, next_writer_epoch = 0;
  uint32_t next_server = 0, next_class = 0;
  bool operator==(const Counters&) const = default;
};
Result<Counters> counters(const StoreView& view);
Result<Incarnation> incarnation(const StoreView& view);

// How far the log is applied, and the time of the last command: the next one's is not less. Zeros in a new database;
// not_found in an empty store, which needs genesis().
struct Applied {
  LogIndex index{};
  int64_t wall_ns = 0;
};
Result<Applied> applied(const StoreView& view);

}  // namespace cairn::queries
