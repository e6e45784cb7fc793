// What the programs on the simulated client machines do: change files, and hold every answer against the oracle.
//
// Each runs within a process of the simulation, which may be killed at any moment; the oracle lives outside and is told
// of each change before it is asked for. What is wrong ends the run through the story. In a harsh run a call may fail:
// then that mount ends, and the next one judges what it left, as after a crash.
#pragma once

#include "client/filesystem.h"
#include "tests/campaign/cairn_world.h"
#include "tests/campaign/oracle.h"

namespace cairn {

struct WorkloadOptions {
  uint32_t workers = 3;
  uint32_t files = 4;              // of each worker, at most
  uint64_t file_bytes = 200'000;   // about, at most
  Duration longest_pause = 200ms;  // between two calls of a worker
  FilesystemOptions mount;         // seed and address are set at each start
};

// A call failed that may fail in a harsh run; ends the work in this mount.
struct CallFailed {
  std::string what;
};
// Throws it, or ends a run in which this may not happen.
[[noreturn]] void call_failed(CairnWorld& world, const std::string& what, const Error& error);
template <typename T>
T expect(CairnWorld& world, const std::string& what, Result<T> result) {
  if (!result.ok()) call_failed(world, what, result.error());
  return std::move(result).value();
}

// What a client's program and the test's driver tell each other; outside of the machines.
struct WorkloadState {
  std::string client;  // its machine; also the prefix of its directories
  uint32_t index = 0;  // of it
  WorkloadOptions options;
  Oracle oracle{};
  bool finish = false;     // set by the driver: sync, close, and end
  bool broken = false;     // a call failed: this mount ends
  bool formatted = false;  // the workers' directories exist
  uint64_t calls = 0;      // of workers, that were answered
  uint64_t syncs = 0;
  uint64_t mounts = 0;
  uint64_t failures = 0;             // calls that were allowed to fail, and did
  Filesystem* mounted = nullptr;     // by the program that runs, for a story of how it hangs
  std::vector<std::string> doing{};  // by each worker

  std::string directory(size_t worker) const { return fmt::format("{}-w{}", client, worker); }
  void tell(Story& story) const;
};

// Mounts, judges what the last crash left, works until it is told to finish, closes.
void run_workload(CairnWorld& world, WorkloadState& state, SimMachine& machine);

// Mounts afresh, judges every name and byte, closes.
void run_verification(CairnWorld& world, WorkloadState& state, SimMachine& machine);

// Mounts, deletes everything, closes.
void run_deletion(CairnWorld& world, WorkloadState& state, SimMachine& machine);

}  // namespace cairn
