// Which chunkservers may be trusted with shards.
//
//   unknown --heartbeat--> up --silent 3 s--> suspect --silent 10 min--> down      a heartbeat leads back to up
//      |                                                                   ^
//      +---------------- silent 10 min since this run began ---------------+
//
// unknown: registered, but not heard in this run of the metaserver; gets no shards, and is not called down.
// suspect: gets no new shards.  down: its shards are to be rebuilt elsewhere.
// Pure: events and the time come as arguments; the caller serialises. Health is not logged: each run finds it out anew.
// Not here: ids, addresses and labels (logged, RegisterServer), who gets shards (placement.h).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/base/clock.h"
#include "common/meta/cluster.h"

namespace cairn {

struct Transition {
  ServerId server{};
  Health health = Health::unknown;  // the new one
  bool operator==(const Transition&) const = default;
};

class Membership {
 public:
  struct Timeouts {
    Duration suspect_after = 3s;
    Duration down_after = 10min;
  };
  // What a server says of itself in each heartbeat.
  struct Report {
    BootId boot{};
    uint64_t total_bytes = 0;
    uint64_t free_bytes = 0;
    uint64_t shards = 0;
    uint64_t bad_records = 0;
  };
  struct Member {
    Health health = Health::unknown;
    bool heard = false;    // in this run
    Instant last_heard{};  // when not heard: when it was added
    Report report;
  };

  explicit Membership(Timeouts timeouts) : timeouts_(timeouts) {}

  // A registered server: unknown until it reports. Adding it again changes nothing.
  void add(ServerId server, Instant now);
  void remove(ServerId server) { members_.erase(server); }  // it does not belong to the cluster any more
  // Both return the transitions they caused, ordered by server id so that a run can be replayed.
  std::vector<Transition> on_heartbeat(ServerId server, const Report& report, Instant now);
  std::vector<Transition> on_tick(Instant now);

  Health health(ServerId server) const;       // unknown for one never added
  const Member* find(ServerId server) const;  // valid until the next change
  const std::map<ServerId, Member>& members() const { return members_; }

 private:
  Timeouts timeouts_;
  std::map<ServerId, Member> members_;
};

}  // namespace cairn
