// A whole metaserver: built from its edges, used by main.cc, by tests in-process, and by the simulation.
//
//   start():  log -> recovery -> committer -> sessions, servers -> janitor, ticks -> listening
//   stop():   the other way round, then everything is flushed and the log trimmed
//
// Destroying one that was not stopped is like a crash: its threads end, nothing is flushed. start() and stop() once
// each, from one thread. The store and the log's directory belong together; nobody else may have either open (main.cc
// holds a lock file).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/disk.h"
#include "common/base/network.h"
#include "common/meta/cluster.h"
#include "common/rpc/rpc_server.h"
#include "metaserver/servers/membership.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

class Metrics;

struct MetaserverOptions {
  Address listen;  // port 0: any
  std::string log_directory;
  StorageClass default_class = {
      .id = kDefaultClass, .name = "default", .policy = {4, 2}, .cell_bytes = 256u << 10, .failure_domain = "host"};
  uint64_t seed = 0;  // of ids, salts and placement; a new database takes its incarnation from it
  Duration session_ttl = 20s;
  Duration quarantine = 60s;
  Membership::Timeouts health;
  Duration tick = 500ms;  // how often silence is looked at
  Duration housekeeping = 1s;
  Duration shard_sweep = 10min;       // between two comparisons of the chunkservers' shards with the metadata
  uint32_t repair_parallel = 8;       // shards that are made again at once
  uint64_t repair_bandwidth = 0;      // bytes per second of these; 0: no bound
  uint32_t most_sessions = 4096;      // open at once
  uint32_t most_listed = 100'000;     // inodes of a session (lease_table.h)
  uint32_t most_servers = 10'000;     // registered chunkservers
  Duration job_worker_timeout = 6s;   // a worker of near-data tasks that is silent so long has lost what it ran
  Duration job_reclaim = 6s;          // after the start, workers name first what they run (jobs/dispatcher.h)
  Duration job_workers_within = 60s;  // a job that waits for somebody with a slot fails after this
  uint32_t jobs_kept = 1000;          // that are over; none longer than a day
  RpcServer::Limits rpc;
  uint64_t log_segment_bytes = 16u << 20;
  uint64_t flush_log_bytes = 64u << 20;
  Duration flush_interval = 30s;
  uint64_t disk_reserve_bytes = 32u << 20;  // kept on the log's disk for changes that free space (disk_reserve.h)
  uint64_t disk_low_bytes = 64u << 20;      // with less free, changes that need space are refused
  std::function<void(const Error&)> on_failure = {};  // the log or the store failed: the process should end
};

class Metaserver {
 public:
  Metaserver(Network& network, Clock& clock, Disk& disk, OrderedStore& store, MetaserverOptions options);
  ~Metaserver();

  // corrupt: the log or the store is damaged, with a sentence that names the mend.
  Status start();
  // Answers what it has accepted, then flushes. The error is that of the flush: nothing acknowledged is lost by it.
  Status stop();

  Address address() const;                   // after start()
  Incarnation incarnation() const;           // after start()
  bool created() const;                      // whether start() made a new database
  StorageClass default_class() const;        // as stored: options count only for a new database
  void add_metrics(Metrics& metrics) const;  // after start(); this outlives the scrapes

 private:
  struct Parts;
  Network& network_;
  Clock& clock_;
  Disk& disk_;
  OrderedStore& store_;
  const MetaserverOptions options_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace cairn
