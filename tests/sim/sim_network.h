// The network of a simulation: hosts with names, ordered byte streams between them, and everything that goes wrong.
//
//   SimNetwork network(scheduler, seed);
//   Network& of_meta = network.host("meta");     what the processes of that machine are given
//   of_client.connect({"meta", 4000}, deadline);
//
// Bytes arrive in order after a random time each, cut into random pieces; a stream holds a bounded number of bytes
// under way, so writers wait for slow readers. A killed process has its streams ended: its peers see the end or a
// reset. A machine without power is silent: its peers hear nothing until a reset after up to a minute. Between two
// hosts that are cut apart everything waits, new connections too, until heal() or the deadline of the call.
//
// Not here: datagrams (nothing lost or repeated within a stream: that is TCP's work; a retry of a call is another
// stream).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/network.h"
#include "common/base/random.h"
#include "tests/sim/sim_scheduler.h"

namespace cairn {

class SimHostNetwork;
struct SimLink;
struct SimPort;

class SimNetwork {
 public:
  struct Options {
    Duration shortest_latency = 20us;  // one way, for each piece
    Duration longest_latency = 500us;
    size_t buffer_bytes = 256u << 10;  // under way in one direction of one stream
    uint64_t break_one_in = 0;         // writes that break their stream; 0: none
    uint64_t stall_one_in = 0;         // writes that arrive late, and all behind them; 0: none
    Duration longest_stall = 10s;
  };
  SimNetwork(SimScheduler& scheduler, uint64_t seed);
  SimNetwork(SimScheduler& scheduler, uint64_t seed, Options options);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  Network& host(const std::string& name);  // made at the first call

  // Cuts both directions; one_way only what flows from the first to the second.
  void partition(const std::string& a, const std::string& b);
  void cut_one_way(const std::string& from, const std::string& to);
  void heal(const std::string& a, const std::string& b);
  void heal_all();
  void isolate(const std::string& name);                           // from all hosts known so far
  void break_streams(const std::string& a, const std::string& b);  // resets all between the two
  // Without power a host neither answers nor refuses. Its processes must be dead.
  void set_power(const std::string& name, bool on);
  void set_break_one_in(uint64_t n) { options_.break_one_in = n; }
  // A stream of its own may stand still for as long, as when packets are lost; others overtake it.
  void set_stalls(uint64_t one_in, Duration longest) {
    options_.stall_one_in = one_in;
    options_.longest_stall = longest;
  }
  void set_longest_latency(Duration longest) { options_.longest_latency = longest; }
  Duration longest_latency() const { return options_.longest_latency; }
  uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  friend class SimHostNetwork;
  friend class SimStream;
  friend class SimListener;

  Duration latency();
  Duration stall();
  bool flows(const std::string& from, const std::string& to) const;
  void process_died(SimProcess process);
  void wake_all();  // everyone looks again
  template <typename Visit>
  void for_each_link(Visit visit);

  SimScheduler& scheduler_;
  Random random_;
  Options options_;
  uint64_t bytes_sent_ = 0;
  std::map<std::string, std::unique_ptr<SimHostNetwork>> hosts_;
  std::set<std::pair<std::string, std::string>> cuts_;  // from, to
  std::set<std::string> dark_;                          // hosts without power
  std::map<std::pair<std::string, uint16_t>, std::shared_ptr<SimPort>> ports_;
  std::vector<std::weak_ptr<SimLink>> links_;  // in order of their making
  uint16_t next_port_ = 20000;
};

}  // namespace cairn
