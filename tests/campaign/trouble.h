// What goes wrong in a run, and when it ends again.
//
// Chunkservers: at most m are impaired at a time, each by one thing; one whose disk rots is impaired for good. The
// metaserver, the clients and the power have one trouble at a time. Each of these is short against the session's TTL
// and the mounts' patience, so no call may fail because of it. A harsh run has outages between them (outage.h).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "common/base/random.h"
#include "common/probes/kill_point.h"
#include "tests/campaign/cairn_world.h"

namespace cairn {

class Trouble {
 public:
  struct Kinds {
    bool machines_stop = false;
    bool repair = false;  // there are servers to spare, and silent ones are soon given up
  };
  Trouble(CairnWorld& world, uint64_t seed, Kinds kinds);
  ~Trouble();
  void run(Duration time);  // returns when all troubles have ended, but for rot
  // Chunkservers with rotten records: they count among the m that may be lost.
  const std::vector<uint32_t>& rotten() const { return rotten_; }
  // How often it was impaired: the others have what they ever stored.
  uint64_t suffered(uint32_t chunkserver) const {
    const auto found = suffered_.find(chunkserver);
    return found == suffered_.end() ? 0 : found->second;
  }

 private:
  struct Impaired {
    Instant until;
    std::function<void()> mend;
  };
  struct Armed {
    KillPoint point;
    uint64_t passes;
    std::string passer;  // the machine that must come by
    std::string victim;
    SimCluster::Death death;
    Instant until;
  };
  struct ArmedWorker {
    KillPoint point;
    uint64_t passes;  // of any worker
    uint64_t times;   // so many of them, one after the other
    bool dies;        // otherwise it stands still
  };
  struct ArmedStop {
    KillPoint point;
    std::string passer;
    Duration time;
  };
  void begin_something();
  void mend_those_due();
  void heal();

  // Of chunkservers (trouble_servers.cc).
  void impair_chunkserver();
  bool may_impair(uint32_t index) const;
  void impair_disk(uint32_t index, const std::string& name, Instant until);
  void impair_network(uint32_t index, const std::string& name, Instant until);
  void restart_chunkserver(const std::string& name);
  void let_rot();

  // Of the rest.
  void trouble_metaserver();
  void trouble_its_disk();
  void trouble_network();
  void trouble_clock();
  void crash_client();
  void cut_everything();
  void start_everything();
  void revive(const std::string& process, Duration in) { revivals_[process] = cluster_.scheduler().now() + in; }

  // Kill points.
  void arm_kill_point();
  void arm_reboot();
  bool reserve(uint32_t index, Instant until);
  void passed(KillPoint point);

  // Machines that stand still (trouble_stops.cc).
  void stop_something();
  void stop_client();
  void stop_metaserver();
  void stop_chunkserver();
  void arm_stop();
  void stop_at(KillPoint point);
  void stand_still(const std::string& machine, Duration time);
  Duration time_of_stop();
  void thaw_those_due();
  void thaw_all();

  // Of workers and jobs (trouble_workers.cc).
  void trouble_workers();
  void kill_worker(uint32_t index);
  void stop_worker(const std::string& worker);
  void cut_servers(uint32_t index);
  void crash_submitter();
  void worker_passed(KillPoint point);
  void thaw_workers(Instant due);
  // Disks that are lost for good and servers that are drained (trouble_repair.cc).
  void need_repair();
  void lose_disks();
  void drain_someone();
  template <typename Done>
  bool go_on_until(Duration longest, const Done& done);
  std::optional<ClusterStatus> try_status();
  bool try_change(ServerId server, ServerState state);

  // More than may be survived (outage.cc).
  void outage();
  void lose_chunkservers();
  void isolate_client();
  void lose_metaserver();
  void fill_disks();

  static Duration between(Random& random, Duration low, Duration high);
  Duration between(Duration low, Duration high) { return between(random_, low, high); }
  std::string some_client() {
    return CairnWorld::client(static_cast<uint32_t>(random_.below(world_.options().clients)));
  }

  CairnWorld& world_;
  SimCluster& cluster_;
  Story& story_;
  Random random_;
  Random stops_;    // of machines that stand still: their own, so that the others are the same without them
  Random jobs_;     // of workers and jobs: the same
  Random repairs_;  // of disks that are lost: the same
  const Kinds kinds_;
  std::map<uint32_t, Impaired> impaired_;    // chunkservers
  std::vector<uint32_t> rotten_;             // among them, for good
  std::vector<uint32_t> lost_;               // their disks are gone, and what was there is not repaired yet
  std::map<uint32_t, uint64_t> suffered_;    // by chunkserver
  std::map<std::string, Instant> settled_;   // when a chunkserver that was started serves for sure
  std::map<std::string, Instant> revivals_;  // processes that are dead, and start again then
  std::map<std::string, Instant> thaws_;     // machines that stand still, and go on then
  std::optional<Armed> armed_;
  std::optional<ArmedStop> armed_stop_;
  std::optional<ArmedWorker> armed_worker_;
  std::map<std::string, Instant> worker_thaws_;  // workers that stand still alone, and go on then
  bool everything_died_ = false;                 // by a kill point
};

}  // namespace cairn
