// A chunkserver of one data directory, whole: store, service, heartbeat and start-up check, joined.
//
// A process with several directories has one of these for each. In-process use (tests, simulation) is the same:
// everything it touches comes through the constructor. start() and stop() are called by one thread; the rest by any.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "chunkserver/buffer_pool.h"
#include "chunkserver/heartbeat.h"
#include "chunkserver/identity.h"
#include "chunkserver/peers.h"
#include "chunkserver/service.h"
#include "chunkserver/shard_check.h"
#include "chunkserver/shard_rebuild.h"
#include "chunkserver/shard_store.h"
#include "common/base/metrics.h"
#include "common/base/network.h"
#include "common/meta/cluster.h"
#include "common/rpc/meta_client.h"
#include "common/rpc/rpc_server.h"

namespace cairn {

struct ChunkserverOptions {
  std::string data;                   // the directory; made if it is not there
  Address listen{"127.0.0.1", 0};     // port 0: any
  std::optional<Address> advertise;   // what clients are told; port 0: the one that is listened on. Default: listen
  std::optional<Address> metaserver;  // nothing: no heartbeats (tests that adopt an identity themselves)
  Labels labels;
  ShardStoreOptions store;
  StartupCheck::Options check;
  ShardRebuilds::Options rebuild;
  RpcServer::Limits rpc{.connections = 4096, .frame_bytes = 1u << 20};  // bulk bytes are not in the frames
  size_t buffer_bytes = 80u << 20;                                      // of appends on their way to the disk
  Duration buffer_wait = 10s;  // so long an append waits for memory; then it is busy
  Metrics* metrics = nullptr;  // to count in, under `metric_labels`; nothing: its own. Outlives this.
  std::string metric_labels;   // like disk="0"
};

class Chunkserver {
 public:
  // seed: of the boot id, and of the identity at the first start. Different at every start.
  Chunkserver(Network& network, Clock& clock, Disk& disk, ChunkserverOptions options, uint64_t seed);
  ~Chunkserver();  // stops

  Status start();
  // No new calls; waits for those under way; then syncs everything that was appended. The first error of these syncs.
  // Again: ok.
  Status stop();

  Address address() const { return server_->address(); }  // after start
  Address advertised() const;
  BootId boot() const { return boot_; }
  IdentityFile& identity() { return *identity_; }  // after start, as the next
  ShardStore& store() { return *store_; }
  StartupCheck& check() { return *check_; }
  bool wait_until_registered(Instant deadline);
  // Empty if it serves and its metaserver has answered; else why not. For /healthz.
  std::string ailment() const;

 private:
  Result<Heartbeat> describe();
  void count_with(Metrics& metrics);

  Network& network_;
  Clock& clock_;
  Disk& disk_;
  const ChunkserverOptions options_;
  const uint64_t seed_;
  const BootId boot_;
  Metrics own_metrics_;
  std::unique_ptr<IdentityFile> identity_;
  std::unique_ptr<ShardStore> store_;
  std::unique_ptr<StartupCheck> check_;
  std::unique_ptr<BufferPool> buffers_;
  std::unique_ptr<ChunkCounters> counters_;
  std::unique_ptr<MetaClient> metaserver_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<ShardRebuilds> rebuilds_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<Heartbeater> heartbeater_;
  std::atomic<bool> running_ = false;
};

}  // namespace cairn
