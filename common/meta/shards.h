// The metaserver's housekeeping calls to a chunkserver, and what one tells of its shards (thrift/chunkserver.thrift).
//
// The server of a ShardRef that arrives at a chunkserver is whom the caller meant to ask. Where addresses have changed
// hands that is another one, which must refuse with stale_boot before it looks at its shards, or an append would land
// in the wrong place and a missing shard would be reported by who never had it. 0: the caller did not say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
