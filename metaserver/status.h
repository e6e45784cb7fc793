// What is true now, for administrators and statfs.
//
// Sums come from counters that commands keep. Redundancy needs one scan over the chunks' rows (1.1 s for 10^5 chunks,
// with two cores busy with other work); its result is kept for a second, but never over a change of any server's
// health or of the shards that are found lost: green is shown only where it is true. Any thread; the mutex is not held
// during the scan, so two scans may run at once, of which one is kept.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/meta/admin.h"
#include "common/meta/requests.h"
#include "metaserver/log/command_log.h"
#include "metaserver/log/committer.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/servers/redundancy.h"
#include "metaserver/servers/shard_sweep.h"
#include "metaserver/sessions/sessions.h"

namespace cairn {

class StatusReporter {
 public:
  // What others have found out.
  struct Findings {
    std::function<std::vector<std::string>()> troubles;       // what an administrator must mend, a sentence each
    std::function<std::shared_ptr<const LostShards>()> lost;  // shards that their servers do not have
    std::function<RepairStatus()> repair;                     // of them and of those that are to move
  };
  StatusReporter(Clock& clock, const OrderedStore& store, const CommandLog& log, const Committer& committer,
                 const Cluster& cluster, const Sessions& sessions, Findings findings);
  // with_state_hash reads every row: for tests and fsck.
  Result<ClusterStatus> status(bool with_state_hash) const;
  // What follows if the server is taken away or drained, from one scan of the chunks' rows.
  Result<ServerChange> what_follows(ServerId server) const;
  // Of data, under the storage class of the root: what all servers hold and have free, less parity and reserves.
  Result<FilesystemSpace> space() const;

 private:
  static constexpr Duration kKeepFor = 1s;
  struct Scan {
    Redundancy redundancy;
    Instant at{};
    uint64_t health_version = 0;
    LogIndex applied{};
    std::shared_ptr<const LostShards> lost;
  };
  Result<Redundancy> redundancy() const;

  Clock& clock_;
  const OrderedStore& store_;
  const CommandLog& log_;
  const Committer& committer_;
  const Cluster& cluster_;
  const Sessions& sessions_;
  const Findings findings_;
  const Instant started_;
  mutable Mutex mutex_;
  mutable std::optional<Scan> last_scan_;  // guarded by mutex_
};

}  // namespace cairn
