// What goes wrong in a run, and when it ends again.
//
// Chunkservers: at most m are impaired at a time, each by one thing. The metaserver, the client and the power have one
// trouble at a time. Each trouble is short against the session's TTL, so the mount lives on unless it is killed.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "common/base/random.h"
#include "tests/sim/cairn_world.h"

namespace cairn {

class Trouble {
 public:
  Trouble(CairnWorld& world, uint64_t seed);
  void run(Duration time);  // returns when all troubles have ended
  void heal();              // ends all

 private:
  struct Impaired {
    Instant until;
    std::function<void()> mend;
  };
  void begin_something();
  void impair_chunkserver();
  void trouble_metaserver();
  void trouble_network();
  void crash_client();
  void cut_everything();
  void mend_those_due();
  Duration between(Duration low, Duration high);

  CairnWorld& world_;
  SimCluster& cluster_;
  Story& story_;
  Random random_;
  std::map<uint32_t, Impaired> impaired_;   // chunkservers
  std::map<std::string, Instant> settled_;  // when a chunkserver that was started serves for sure
};

}  // namespace cairn
