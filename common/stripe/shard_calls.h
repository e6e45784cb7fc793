// What the stripe code needs of the chunkservers: several calls under way at once, gathered by the thread that made
// them.
//
// common/rpc/chunk_client.h does it over the network; tests do it in memory.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/types.h"

namespace cairn {

// Names a shard. The server is where it is now.
struct ShardRef {
  ServerId server{};
  Incarnation incarnation{};
  ChunkId chunk{};
  uint8_t shard = 0;
};

struct AppendCall {
  ShardRef shard;
  uint64_t place = 0;
  Epoch writer_epoch{};
  bool sync = false;  // answered only when everything up to the record's end is durable
};
struct SyncCall {
  ShardRef shard;
  BootId boot{};
  uint64_t end = 0;
};
struct ReadCall {
  ShardRef shard;
  uint64_t place = 0;
  uint32_t header_bytes = 0;  // 0: only cell bytes
  uint32_t cell_offset = 0;   // multiple of 4096
  uint32_t cell_bytes = 0;    // multiple of 4096
};

// One gatherer: used by one thread. Calls that are still under way when it is destroyed are abandoned.
class ShardCalls {
 public:
  using Tag = uint32_t;  // chosen by the caller, unique among its calls under way
  struct Completion {
    Tag tag = 0;
    Status status;     // unavailable, timed_out: unknown whether it was done; others as in Errc
    BootId boot{};     // append, sync
    uint64_t end = 0;  // append, sync: of the shard
  };
  virtual ~ShardCalls() = default;
  // Calls to one server are answered in the order they were started. Buffers stay valid until the completion, cancel or
  // destruction. Starting may block while the peer's socket buffer is full; a failure to send is a completion.
  virtual void append(Tag tag, const AppendCall& call, std::span<const iovec> record, Instant deadline) = 0;
  virtual void sync(Tag tag, const SyncCall& call, Instant deadline) = 0;
  // Fills header_into (header_bytes, may be empty) and cell_into (cell_bytes, may be empty). Two buffers, so that a
  // cell can be read straight to where its caller wants it. What lies behind the end of the shard or in a hole reads as
  // zeros.
  virtual void read(Tag tag, const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into,
                    Instant deadline) = 0;
  virtual void cancel(Tag tag) = 0;  // no completion comes; the buffers are not touched afterwards
  virtual size_t under_way() const = 0;
  // The next completion; nothing at the deadline, or when nothing is under way.
  virtual std::optional<Completion> wait(Instant deadline) = 0;
};

class ShardTransport {
 public:
  virtual ~ShardTransport() = default;
  virtual std::unique_ptr<ShardCalls> calls() = 0;
  // A hint from recent failures and latencies: smaller is better; >= 1000 means it failed lately. Any thread.
  virtual uint32_t reluctance(ServerId server) const = 0;
  // How long an answer takes lately, for half of the servers at most: what a late one is compared with. Any thread.
  virtual Duration usual_latency() const = 0;
};

}  // namespace cairn
