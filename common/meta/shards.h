// The metaserver's housekeeping calls to a chunkserver, and what one tells of its shards (thrift/chunkserver.thrift).
//
// The server of a ShardRef that arrives at a chunkserver is whom the caller meant to ask. Where addresses have changed
// hands that is another one, which must refuse with stale_boot before it looks at its shards, or an append would land
// in the wrong place and a missing shard would be reported by who never had it. 0: the caller did not say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/stripe/geometry.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

struct SealShard {
  ShardRef shard;
  uint64_t committed = 0;  // bytes beyond are garbage; kept until the shard is removed
  Epoch fence{};           // appends with a lower writer epoch are refused from now on
};
struct PunchShard {
  ShardRef shard;
  uint64_t place = 0;
  uint64_t length = 0;  // > 0
};
struct ListShards {
  Incarnation incarnation{};
  ChunkId after{};
  uint32_t limit = 0;
  ServerId server{};
};

// A stripe of a sealed chunk, as its row knows it.
struct StripeAt {
  uint64_t place = 0;
  StripeShape shape;
  bool dead = false;  // nothing refers to it: it may be punched on some servers already
  bool operator==(const StripeAt&) const = default;
};
inline constexpr size_t kMaxRebuildStripes = 4096;  // in one call
// Some work on a shard of a sealed chunk that is made again on shard.server. The next call goes on where this one
// stopped; one of another attempt begins anew.
struct RebuildShard {
  ShardRef shard = {};
  uint64_t attempt = 0;  // > 0
  Code code = {};
  std::vector<ServerId> servers = {};  // where each shard of the chunk is, or was
  uint64_t lost = 0;                   // bit i: shard i is not to be read
  bool copy = false;                   // servers[shard] may still have it: asked first
  uint64_t committed = 0;
  uint64_t from = 0;  // the end of the last stripe that the calls before have dealt with; 0: the first call
  std::vector<StripeAt> stripes = {};  // ascending, behind that
  bool last = false;                   // none follows: the shard is finished, and takes its place
  Duration at_most{};                  // no further stripe is begun after this
};
struct RebuildProgress {
  uint32_t stripes = 0;              // of the call's, from its first on, dealt with
  bool done = false;                 // the shard is durable under its name
  uint64_t copied = 0, decoded = 0;  // records
  uint64_t bytes = 0;                // of these
};

// Answer of append and sync.
struct ShardPosition {
  BootId boot{};
  uint64_t end = 0;  // of the shard
};
struct ShardSummary {
  ChunkId chunk{};
  uint8_t shard = 0;
  uint64_t end = 0;
  bool sealed = false;
  uint64_t committed = 0;
  uint64_t allocated = 0;
  bool failed = false;  // a write or sync failed: it takes no more appends
};
struct ShardPage {
  std::vector<ShardSummary> shards;
  bool complete = false;
};
struct ChunkserverStatus {
  BootId boot{};
  std::string uuid;
  uint64_t total_bytes = 0, free_bytes = 0;
  uint64_t shards = 0;
  uint64_t bad_records = 0;
};

}  // namespace cairn
