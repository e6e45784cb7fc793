// What is known of one open chunk: which places are given, what each shard has acknowledged and made durable, whose
// turn it is to commit, and whether and why the chunk is broken. Decides; sends nothing and waits for nothing.
//
//   give_place -> on_appended (each shard) -> on_stripe_appended -> syncs_for / on_synced -> may_commit / on_committed
//                      | a failure, another boot, an unexpected end: broken for good
//
// Not thread-safe: OpenChunk guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/meta/cluster.h"

namespace cairn {

class OpenChunkState {
 public:
  explicit OpenChunkState(const ChunkInfo& info);

  uint64_t next_place() const { return next_place_; }
  bool has_room() const { return !broken_ && next_place_ < shard_limit_; }
  uint64_t shard_limit() const { return shard_limit_; }
  uint64_t give_place(uint64_t stride);
  uint32_t next_first_cell(uint32_t cells);

  // The server of a shard has answered an append of [place, record_end): it is now `end` long, and if synced, durable
  // so far. An error (and the chunk is broken) if the server restarted since the first append or the end is not the
  // record's.
  Status on_appended(uint32_t shard, uint64_t place, uint64_t record_end, bool synced, BootId boot, uint64_t end);
  // All shards of the stripe that ends there have answered. In order of place.
  void on_stripe_appended(uint64_t place_behind);
  uint64_t end() const { return end_; }

  struct SyncAsk {
    uint32_t shard = 0;
    BootId boot{};
    uint64_t end = 0;
  };
  // Whether every record of the stripes before `end` is durable.
  bool durable(uint64_t end) const { return syncs_for(end).empty(); }
  std::vector<SyncAsk> syncs_for(uint64_t end) const;
  Status on_synced(const SyncAsk& ask, BootId boot, uint64_t end);

  bool may_commit(uint64_t from) const { return committed_ >= from; }
  void on_committed(uint64_t to);

  // A call to the server of this shard has failed.
  void on_failed(uint32_t shard, const Error& error);
  void break_down(std::string why);
  bool broken() const { return broken_; }
  // Why the first one broke it. Requires broken().
  Error why() const { return why_; }
  const std::vector<ServerId>& failed_servers() const { return failed_servers_; }

 private:
  struct Record {
    uint64_t place = 0;
    uint64_t end = 0;
  };
  struct Shard {
    ServerId server{};
    std::optional<BootId> boot;   // of its first append; another one has forgotten what was not durable
    std::deque<Record> unsynced;  // acknowledged, by place
  };
  Error broken_by(uint32_t shard, Error error);

  ChunkId chunk_{};
  uint32_t data_shards_ = 0;
  uint64_t shard_limit_ = 0;
  uint64_t next_place_ = 0;
  uint64_t end_ = 0;
  uint64_t committed_ = 0;
  uint32_t rotation_ = 0;
  std::vector<Shard> shards_;
  bool broken_ = false;
  Error why_{};
  std::vector<ServerId> failed_servers_;
};

}  // namespace cairn
