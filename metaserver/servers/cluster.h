// The chunkservers as they are now: registered by logged commands, heard by heartbeats, offered to placement.
//
// Health and space are known only in memory and found out anew after a restart. Any thread; the mutex is not held while
// a command is proposed. The decisions are membership.h and placement.h.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>

#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/base/random.h"
#include "common/base/thread.h"
#include "common/meta/heartbeat.h"
#include "metaserver/log/committer.h"
#include "metaserver/servers/membership.h"
#include "metaserver/servers/placement.h"
#include "metaserver/state/queries.h"

namespace cairn {

class Cluster {
 public:
  struct Options {
    Membership::Timeouts timeouts = {};
    Duration heartbeat_interval = 1s;
    Incarnation incarnation = {};
    uint64_t seed = 0;                          // of placement
    std::function<void()> on_map_changed = {};  // without a mutex
    uint32_t most_servers = 10'000;             // that are registered
  };
  Cluster(Clock& clock, Committer& committer, const OrderedStore& store, Options options);

  // Reads the registered servers back: unknown until they report.
  Status restore();
  // A report of a server; registers it at the first, and again when its address or labels changed.
  // invalid: it belongs to another database. busy: too many are registered. not_permitted: it was removed.
  Result<HeartbeatAnswer> heartbeat(const Heartbeat& report);
  void tick();  // about once a second
  // An administrator's decision. not_found: there is no such server; invalid: it is removed already.
  Status set_state(ServerId server, ServerState state);

  Result<ClusterMap> map() const;
  // Ascending by id, as all that follows without those that are removed.
  std::vector<ServerInfo> servers() const;
  Result<Address> address(ServerId server) const;
  std::map<ServerId, Health> health() const;
  bool answers(ServerId server) const;  // it is up or draining
  std::vector<ServerId> removed() const;
  // Raised by each change of a server's health or state.
  uint64_t health_version() const { return health_version_.load(std::memory_order_acquire); }

  // Who takes the shards of `count` new chunks; notes what they may come to hold until the servers report again.
  Result<std::vector<Placement>> place(const PlacementRequest& request, uint32_t count, uint64_t shard_bytes);
  std::vector<Candidate> candidates() const;

 private:
  using Record = queries::ServerRecord;
  std::vector<Candidate> candidates_locked() const;
  Health health_locked(const Record& record) const;
  void note(const std::vector<Transition>& transitions);

  Clock& clock_;
  Committer& committer_;
  const OrderedStore& store_;
  const Options options_;
  std::atomic<uint64_t> health_version_{1};
  LogLimit registrations_;  // lines of the log
  mutable Mutex mutex_;     // guards what follows
  Membership membership_;
  std::map<ServerId, Record> records_;
  std::map<std::string, ServerId> by_uuid_;
  std::map<ServerId, uint64_t> promised_;  // bytes, since the last report
  Random random_;
};

}  // namespace cairn
