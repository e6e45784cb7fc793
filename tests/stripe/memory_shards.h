// Chunkservers in memory, for tests of everything above ShardTransport: they keep shards as bytes, and do to them what
// disks, networks and crashes do.
//
// Calls are carried out when they are started and answered after the server's delay: a gatherer that waits moves the
// manual clock. Without a delay nothing ever waits, so any clock will do. Any thread, one gatherer each. Servers exist
// from their first mention. Not here: a real chunkserver, a real network (tests/sim has both).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/thread.h"
#include "common/stripe/shard_calls.h"
#include "tests/stripe/manual_clock.h"

namespace cairn {

class MemoryShards : public ShardTransport {
 public:
  explicit MemoryShards(ManualClock& clock) : clock_(clock) {}

  std::unique_ptr<ShardCalls> calls() override;
  uint32_t reluctance(ServerId server) const override;
  Duration usual_latency() const override;

  // Faults of servers.
  void kill(ServerId server);                           // answers unavailable from now on
  void restart(ServerId server, bool forget_unsynced);  // a new boot; shards may lose what was not synced
  void delay(ServerId server, Duration duration);       // of every answer
  void set_reluctance(ServerId server, uint32_t value);
  void set_usual_latency(Duration latency);
  void fail_syncs(ServerId server);  // fdatasync fails: the shards asked for are failed for good
  void kill_after(uint64_t more_calls, std::vector<ServerId> servers);  // when so many more calls have been started
  // Faults of bytes. The shard must exist.
  std::vector<uint8_t>& bytes(ChunkId chunk, uint8_t shard);
  bool exists(ChunkId chunk, uint8_t shard) const;
  void swap(ChunkId chunk, uint8_t one, uint8_t other);  // their bytes

  // What was asked.
  struct Counts {
    uint64_t appends = 0, syncs = 0, reads = 0, cancelled = 0;
    uint64_t bytes_read = 0;  // of cells
    uint64_t bytes_appended = 0;
  };
  Counts counts() const;
  uint64_t syncs_of(ServerId server) const;
  uint64_t reads_of(ServerId server) const;

 private:
  friend class MemoryShardCalls;
  struct Shard {
    std::vector<uint8_t> bytes;
    size_t durable = 0;  // bytes that a crash leaves
    bool failed = false;
  };
  struct Server {
    uint64_t boot = 1;
    bool dead = false;
    bool syncs_fail = false;
    Duration delay{};
    uint32_t reluctance = 0;
    uint64_t syncs = 0, reads = 0;
    std::map<std::pair<ChunkId, uint8_t>, Shard> shards;
  };
  struct Answer {
    Status status;
    BootId boot{};
    uint64_t end = 0;
    Instant ready;
  };
  Answer append(const AppendCall& call, std::span<const iovec> record);
  Answer sync(const SyncCall& call);
  Answer read(const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into);
  bool answers_at_once(ServerId server) const;
  // Counts the call; an error if the server is dead.
  Answer arrive(ServerId server);
  Shard* find(ChunkId chunk, uint8_t shard);

  ManualClock& clock_;
  mutable Mutex mutex_;  // guards everything below
  std::map<ServerId, Server> servers_;
  Counts counts_;
  Duration usual_latency_{};
  uint64_t calls_started_ = 0;
  std::optional<uint64_t> kill_at_;
  std::vector<ServerId> to_kill_;
};

}  // namespace cairn
