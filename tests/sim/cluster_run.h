// One run of the whole cluster from one seed: work, trouble, healing, and the verdict.
//
//   servers up -> the client works while trouble comes -> all heals -> the client closes, or is killed
//   -> a fresh mount judges every byte -> again with m servers without power -> all is deleted: nothing may be left
//
// The seed picks the policy, the cell size, the mount's options, and the trouble. Never more than m chunkservers are
// impaired at a time, so no call of the client may fail and nothing acknowledged may be lost.
#pragma once

#include <cstdint>
#include <string>

namespace cairn {

struct RunOutcome {
  bool good = false;
  std::string story{};  // all lines
  std::string verdict;  // the last line, or how the process died
  uint64_t trace_hash = 0;
};

// In a process of its own, because the fibers of killed processes are never freed. With `loud` the story also goes to
// stderr as it happens, with what the libraries log.
RunOutcome run_seed(uint64_t seed, bool loud = false);

// In this process, which ends if anything is wrong (for a debugger). Returns the trace hash.
uint64_t run_seed_here(uint64_t seed, int story_to);

}  // namespace cairn
