// Removes the shards that moves have left behind: what its chunk's row does not name on a server, when no layout can
// name it there any more.
//
// Server by server, bounded in each round; a server that does not answer keeps its own until it does. A row goes when
// its server has confirmed the removal, or was removed itself. Used by the janitor's thread.
#pragma once

#include <functional>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/stripe/shard_calls.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/state/queries.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

struct StaleShardCalls {
  std::function<Status(const ShardRef&)> remove;             // one server's answer
  std::function<bool(const StaleShard&)> being_made;         // it is about to be named: left alone
  std::function<Status(std::vector<StaleShard>)> confirmed;  // proposes StaleShardsRemoved
};

// One round. The error is that of the store or of the log.
Status remove_stale_shards(const OrderedStore& store, const Cluster& cluster, Incarnation incarnation,
                           std::optional<int64_t> stale_until_ns, const StaleShardCalls& calls);

}  // namespace cairn
