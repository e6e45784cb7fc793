#include "tests/sim/sim_cluster.h"

#include <cstdio>
#include <cstdlib>

namespace cairn {
namespace {

std::string machine_of(const std::string& process) { return process.substr(0, process.find('/')); }

}  // namespace

SimCluster::SimCluster(uint64_t seed) : SimCluster(seed, SimScheduler::Limits{}) {}

SimCluster::SimCluster(uint64_t seed, SimScheduler::Limits limits)
    : random_(seed), scheduler_(random_(), limits), network_(scheduler_, random_()) {}

SimCluster::Machine& SimCluster::machine_named(const std::string& name) {
  Machine& machine = machines_[name];
  if (!machine.disk) {
    machine.disk = std::make_unique<SimDisk>(scheduler_, random_());
    machine.clock = std::make_unique<SimClock>(scheduler_);
  }
  return machine;
}

void SimCluster::start(const std::string& name, Main main) {
  if (running(name)) {
    std::fprintf(stderr, "simulation: %s runs already\n", name.c_str());
    std::abort();
  }
  const std::string machine_name = machine_of(name);
  Machine& machine = machine_named(machine_name);
  network_.set_power(machine_name, true);
  Process& process = processes_[name];
  process.main = std::move(main);
  process.id = scheduler_.new_process(name);
  process.started = true;
  scheduler_.spawn_in(process.id, "main",
                      [this, id = process.id, main = process.main,
                       given = SimMachine{machine_name, network_.host(machine_name), *machine.disk, *machine.clock,
                                          random_()}]() mutable {
                        main(given);
                        scheduler_.kill(id);  // the exit takes the other threads along
                      });
}

void SimCluster::restart(const std::string& name) {
  kill(name);
  start(name, processes_.at(name).main);
}

void SimCluster::kill(const std::string& name) {
  const auto process = processes_.find(name);
  if (process != processes_.end() && process->second.started) scheduler_.kill(process->second.id);
}

void SimCluster::freeze(const std::string& name) {
  if (running(name)) scheduler_.freeze(processes_.at(name).id);
}

void SimCluster::thaw(const std::string& name) {
  if (frozen(name)) scheduler_.thaw(processes_.at(name).id);
}

bool SimCluster::frozen(const std::string& name) const {
  return running(name) && scheduler_.frozen(processes_.at(name).id);
}

void SimCluster::power_cut(const std::string& machine) {
  network_.set_power(machine, false);
  for (const auto& [name, process] : processes_) {
    if (machine_of(name) == machine) kill(name);
  }
  machine_named(machine).disk->crash();
}

void SimCluster::power_cut_everything() {
  for (const auto& [name, machine] : machines_) power_cut(name);
}

std::string SimCluster::machine_here() const { return machine_of(scheduler_.name_of(scheduler_.current_process())); }

void SimCluster::die_here(Death death) {
  const SimProcess here = scheduler_.current_process();
  const std::string own = machine_here();
  if (death != Death::killed) {
    network_.set_power(own, false);
    for (const auto& [name, process] : processes_) {
      if (machine_of(name) == own && process.id != here) kill(name);
    }
    machine_named(own).disk->crash();
  }
  if (death == Death::everything) {
    for (const auto& [name, machine] : machines_) {
      if (name != own) power_cut(name);
    }
  }
  scheduler_.kill(here);
  std::abort();  // not reached: the fiber is dead
}

bool SimCluster::running(const std::string& name) const {
  const auto process = processes_.find(name);
  return process != processes_.end() && process->second.started && scheduler_.alive(process->second.id);
}

}  // namespace cairn
