// What an administrator asks of servers: drain, use again, remove. Decides whether it may be, and has it logged.
#pragma once

#include "common/base/result.h"
#include "common/meta/admin.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/status.h"

namespace cairn {

// Any thread. Only tells what would follow with dry_run.
//   not_found  there is no such server, or it is removed
//   busy       it is not to be removed yet: it has shards that count, or is up. With force only the latter refuses
Result<ServerChange> change_server(Cluster& cluster, const StatusReporter& status, const ChangeServer& request);

}  // namespace cairn
