// The chunkserver's calls: unpack a request, do it, pack the reply. One ChunkService for each connection.
//
//   append: frame --> tail into a pooled buffer --> identity and record checks --> ShardStore --> reply
//   read:   frame --> file and range --> reply, followed by the file's bytes (sendfile, nobody looks at them)
//
// An append's tail is read to its end also when the call is refused, so that the connection stays usable.
// Generated types end here.
#pragma once

#include <memory>

#include "Chunkserver.h"
#include "chunkserver/buffer_pool.h"
#include "chunkserver/identity.h"
#include "chunkserver/shard_check.h"
#include "chunkserver/shard_rebuild.h"
#include "chunkserver/shard_store.h"
#include "common/base/metrics.h"
#include "common/rpc/rpc_server.h"

namespace cairn {

// What is counted for /metrics.
struct ChunkCounters {
  explicit ChunkCounters(Metrics& metrics, const std::string& labels);
  Counter &appends, &append_bytes, &append_errors, &syncs, &reads, &read_bytes, &read_errors;
};

// What the services of all connections share. Outlives them.
struct ChunkServiceParts {
  Clock& clock;
  ShardStore& store;
  ShardRebuilds& rebuilds;
  IdentityFile& identity;
  StartupCheck& check;
  BufferPool& buffers;
  ChunkCounters& counters;
  BootId boot{};
  Duration buffer_wait = 10s;  // of an append, for memory
};

class ChunkService : public thrift::ChunkserverIf {
 public:
  ChunkService(ChunkServiceParts parts, CallTails& tails) : parts_(parts), tails_(tails) {}

  void append(thrift::AppendReply& reply, const thrift::AppendRequest& request) override;
  void sync(thrift::SyncReply& reply, const thrift::SyncRequest& request) override;
  void read(thrift::ReadReply& reply, const thrift::ReadRequest& request) override;
  void seal(thrift::ShardReply& reply, const thrift::SealShardRequest& request) override;
  void punch(thrift::ShardReply& reply, const thrift::PunchRequest& request) override;
  void remove(thrift::ShardReply& reply, const thrift::RemoveShardRequest& request) override;
  void rebuild(thrift::RebuildReply& reply, const thrift::RebuildRequest& request) override;
  void list_shards(thrift::ListShardsReply& reply, const thrift::ListShardsRequest& request) override;
  void status(thrift::ChunkserverStatusReply& reply, const thrift::ChunkserverStatusRequest& request) override;

 private:
  ChunkServiceParts parts_;
  CallTails& tails_;
};

// For RpcServer.
RpcServer::ProcessorFactory chunk_processors(ChunkServiceParts parts);

}  // namespace cairn
