// One run of the whole cluster from one seed: work, trouble, healing, and the verdict.
//
//   servers up -> the clients work while trouble comes -> all heals -> the clients close, or are killed
//   -> a fresh mount judges every byte -> again with m servers without power -> all is deleted: nothing may be left
//
// The seed picks everything (run_plan.h). Never more than m chunkservers are impaired at a time, so no call of a client
// may fail and nothing acknowledged may be lost; but for outages in a harsh run, where calls may fail.
#pragma once

#include <cstdint>

namespace cairn {

// In this process, which ends if anything is wrong (story.h): the fibers of killed processes are never freed, so a
// process runs one seed. The story is written to the file descriptor. Returns the trace hash: the same for each run of
// the seed.
uint64_t run_seed_here(uint64_t seed, int story_to);

}  // namespace cairn
