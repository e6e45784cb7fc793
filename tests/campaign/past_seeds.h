// Seeds that once found something, with what it was. They are run for ever; that a change of the workload makes another
// run of a seed is why each of these bugs also has a test of its own where one could be written.
#pragma once

#include <cstdint>

namespace cairn {

struct PastSeed {
  uint64_t seed;
  const char* found;
};

inline constexpr PastSeed kPastSeeds[] = {
    {1238, "an append held back by a cut network came after its chunk was removed, and left a shard for ever"},
    {98,
     "a session's loss was told to one who synced everything, and the fsync of another program said that all is well"},
    {129, "mounts heard of the metaserver's power cut only after 11 s, and all others waited until they named leases"},
    {829, "an unlink's late answer hid a file of that name which the same mount had made meanwhile"},
    {219,
     "a mount that shared the tree acquired leases anew for a recall of the tree, and its events waited behind that"},
};

}  // namespace cairn
