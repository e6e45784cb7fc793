// The values of the ordered store: one struct for each table, with a leading version byte.
//
// What stands in the key is not repeated in the value. A value that is truncated, longer, of another version or not
// usable in arithmetic is `corrupt`. Rows that may be kept for time travel carry the log index of their birth.
// docs/on_disk_format.md has the byte table. Keys: metadata_keys.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/meta/attributes.h"
#include "common/meta/cluster.h"
#include "common/meta/session.h"
#include "metaserver/state/metadata_keys.h"
#include "metaserver/state/queries.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

inline constexpr uint8_t kRowVersion = 1;

struct DentryRow {
  LogIndex birth{};
  InodeId inode{};
  uint64_t cookie = 0;
  bool operator==(const DentryRow&) const = default;
};
struct CookieRow {
  LogIndex birth{};
  InodeId inode{};
  std::string name;
  bool operator==(const CookieRow&) const = default;
};

struct InodeRow {
  LogIndex birth{};
  uint32_t fileset = 0;        // the tree that it belongs to, for snapshots, quotas and sharding; 0 is the whole
  Attributes attributes;       // .inode is filled from the key
  InodeId parent{};            // of a directory; the root's is itself
  uint64_t next_cookie = 0;    // of a directory
  MapId map{};                 // where its extents are
  uint64_t extents = 0;        // rows in the map
  uint32_t content_bytes = 0;  // inline data or symlink target; then no extents
  uint32_t xattr_names = 0;    // bytes of its xattr names, each with its end, as listxattr counts them
  uint32_t xattr_bytes = 0;    // bytes of its xattr values
  bool operator==(const InodeRow&) const = default;
};
// The value of an extent is the Extent without its offset: that is the end in the key less its length.
struct ExtentRow {
  LogIndex birth{};
  Extent extent;
  bool operator==(const ExtentRow&) const = default;
};
struct BirthRow {  // orphan, release, open_chunk, pending_seal, condemned: the key says it all
  LogIndex birth{};
  bool operator==(const BirthRow&) const = default;
};

enum class ChunkState : uint8_t {
  open = 0,
  sealed = 1,
  dead = 2,       // sealed and without a live byte, waiting for the quarantine's end
  condemned = 3,  // its shards are being removed
};
struct ChunkRow {
  LogIndex birth{};
  ChunkInfo info;     // .chunk, .sealed and .incarnation are filled by the reader
  SessionId owner{};  // who opened it
  ChunkState state = ChunkState::open;
  int64_t died_ns = 0;
  bool shortened = false;
  bool operator==(const ChunkRow&) const = default;
};
enum class StripeState : uint8_t {
  live = 0,
  dead = 1,     // in the queue of dead stripes; nothing may refer to it again
  punched = 2,  // its space is given back
};
struct StripeRow {
  LogIndex birth{};
  StripeShape shape;
  uint64_t live_bytes = 0;
  StripeState state = StripeState::live;
  int64_t died_ns = 0;
  bool operator==(const StripeRow&) const = default;
};
struct ChunkRefRow {
  uint64_t live_bytes = 0;  // > 0
  bool operator==(const ChunkRefRow&) const = default;
};
struct DeadStripeRow {
  uint64_t length = 0;  // the stripe's stride: bytes of each shard
  bool operator==(const DeadStripeRow&) const = default;
};

struct SessionRow {
  LogIndex birth{};
  SessionRequest request;
  int64_t opened_ns = 0;
};
struct NonceRow {
  SessionId session{};
  bool operator==(const NonceRow&) const = default;
};
struct OutcomeWindowRow {
  RequestId lowest_unanswered{};  // the client has the answers of all before it: they are never asked again
  RequestId first_kept{};         // outcomes before it are dropped
  bool operator==(const OutcomeWindowRow&) const = default;
};
struct ServerRow {
  LogIndex birth{};
  std::string uuid;
  Address address;
  Labels labels;
  bool operator==(const ServerRow&) const = default;
};
struct ServerStateRow {  // none: active
  LogIndex birth{};
  ServerState state = ServerState::active;
  bool operator==(const ServerStateRow&) const = default;
};
struct StaleShardRow {
  int64_t since_ns = 0;  // a layout may name it until a quarantine after this
  bool operator==(const StaleShardRow&) const = default;
};
struct UuidRow {
  ServerId server{};
  bool operator==(const UuidRow&) const = default;
};
struct ClassRow {
  LogIndex birth{};
  StorageClass storage_class;
  bool operator==(const ClassRow&) const = default;
};
struct ClassNameRow {
  ClassId id{};
  bool operator==(const ClassNameRow&) const = default;
};

struct AppliedRow {
  queries::Applied applied;
};
struct CountersRow {
  queries::Counters counters;
};
struct IdentityRow {
  Incarnation incarnation{};
  int64_t created_ns = 0;
};

// Defined for each of the structs above.
template <typename Row>
std::string encode_row(const Row& row);
template <typename Row>
Result<Row> decode_row(std::string_view value);

// A typed read; none: there is no such row. corrupt names the key.
template <typename Row>
Result<std::optional<Row>> find_row(const StoreView& view, std::string_view key);

// With what the key knows filled in.
Result<std::optional<InodeRow>> find_inode(const StoreView& view, InodeId inode);
Result<std::optional<ChunkRow>> find_chunk(const StoreView& view, ChunkId chunk);
Result<ChunkRow> decode_chunk(const StoreView& view, std::string_view key, std::string_view value);
// The extent of a row of the extent table.
Result<Extent> decode_extent(std::string_view key, std::string_view value);

bool is_directory(const InodeRow& inode);
bool is_regular(const InodeRow& inode);
bool is_symlink(const InodeRow& inode);

}  // namespace cairn
