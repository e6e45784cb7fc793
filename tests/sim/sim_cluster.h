// A cluster of simulated machines on one thread, from one seed: each has a name, a disk, a clock and processes.
//
//   SimCluster cluster(seed);
//   cluster.start("meta", [](SimMachine& m) { serve(m.network, m.disk, m.clock); });   // main(): its return is the
//   exit Status end = cluster.run([&] { ...; cluster.power_cut("meta"); cluster.restart("meta"); ... });
//
// A process is named MACHINE or MACHINE/PROCESS. Its main function builds everything from what the machine gives it,
// because after a kill nothing of it exists any more. Put nothing into the captures but what lives outside the cluster.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_scheduler.h"

namespace cairn {

// What one process is given. The references outlive it.
struct SimMachine {
  std::string name;  // also the host of its addresses
  Network& network;
  Disk& disk;
  Clock& clock;
  uint64_t seed;  // another at each start
};

class SimCluster {
 public:
  using Main = std::function<void(SimMachine&)>;

  explicit SimCluster(uint64_t seed);
  SimCluster(uint64_t seed, SimScheduler::Limits limits);

  Status run(std::function<void()> body) { return scheduler_.run(std::move(body)); }

  // The machine is made at its first process. A process that runs already must be killed first.
  void start(const std::string& process, Main main);
  void restart(
      const std::string& process);        // with the same main function; kills it first if it runs. Power comes back.
  void kill(const std::string& process);  // kill -9: what was written and not synced stays in the machine's cache
  // SIGSTOP and SIGCONT (sim_scheduler.h): while it is frozen its kernel still takes connections and bytes, as many as
  // a backlog and the buffers of its streams hold. Nothing, if it does not run.
  void freeze(const std::string& process);
  void thaw(const std::string& process);
  bool frozen(const std::string& process) const;
  // All processes of the machine die, what was not synced may be forgotten or torn, and it is silent until
  // one of its processes is started.
  void power_cut(const std::string& machine);
  void power_cut_everything();
  // For a fiber of a machine: kills its own process, or cuts the power of its machine, or of all; here and now, so
  // nothing of it runs again.
  enum class Death : uint8_t { killed, power_cut, everything };
  [[noreturn]] void die_here(Death death);
  std::string machine_here() const;  // of the running fiber; the test's is "test"
  bool running(const std::string& process) const;

  SimDisk& disk(const std::string& machine) { return *machine_named(machine).disk; }
  SimClock& clock(const std::string& machine) { return *machine_named(machine).clock; }
  Network& network_of(const std::string& machine) { return network_.host(machine); }
  SimNetwork& network() { return network_; }
  SimScheduler& scheduler() { return scheduler_; }
  Random& random() { return random_; }  // for the test's own choices

 private:
  struct Machine {
    std::unique_ptr<SimDisk> disk;
    std::unique_ptr<SimClock> clock;
  };
  struct Process {
    Main main;
    SimProcess id{};
    bool started = false;
  };
  Machine& machine_named(const std::string& name);

  Random random_;
  SimScheduler scheduler_;
  SimNetwork network_;
  std::map<std::string, Machine> machines_;
  std::map<std::string, Process> processes_;
};

}  // namespace cairn
