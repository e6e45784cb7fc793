// New chunks for a writer: its storage class, who takes the shards, then the logged command that creates them.
//
// A retry is answered from its stored outcome before anything is placed, so that a request never depends on who is up
// later. Any thread. Not here: the choice (placement.h), the rows (ops).
#pragma once

#include <vector>

#include "metaserver/log/committer.h"
#include "metaserver/servers/cluster.h"

namespace cairn {

inline constexpr uint32_t kMaxGrantedChunks = 64;  // per request
inline constexpr uint32_t kMaxOpenChunks = 1024;   // of one session: a mount has a few for each storage class

// Where a chunk ends: 64 MiB of data over d shards, in whole MiB, at least 2.
uint64_t shard_limit_of(const Code& code);

// busy: the session has too many open ones (calls of the same moment may pass the bound by what they ask for).
Result<std::vector<ChunkInfo>> grant_chunks(Committer& committer, Cluster& cluster, const OrderedStore& store,
                                            const Mutation& mutation, const GrantChunks& request);

}  // namespace cairn
