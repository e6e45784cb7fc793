#include "metaserver/server_changes.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {
namespace {

// A server that answers may be drained, which loses nothing; its shards are given up only with one that does not.
Status may_remove(const ServerInfo& server, const ServerLoad& load, bool force) {
  if (load.shards == 0 && (server.state == ServerState::draining || !answers(server.health))) return {};
  if (answers(server.health)) {
    return {Errc::busy, fmt::format("chunkserver {} is up and has {} shards of data: drain it first",
                                    raw(server.server), load.shards)};
  }
  if (force) return {};
  return {Errc::busy, fmt::format("chunkserver {} is {}, and {} shards of data are there that no other server has yet: "
                                  "wait for their repair, or remove it with --force",
                                  raw(server.server), name_of(server.health), load.shards)};
}

}  // namespace

Result<ServerChange> change_server(Cluster& cluster, const StatusReporter& status, const ChangeServer& request) {
  const auto servers = cluster.servers();
  const auto server = std::ranges::find(servers, request.server, &ServerInfo::server);
  if (server == servers.end())
    return Error{Errc::not_found, fmt::format("there is no chunkserver {}", raw(request.server))};
  ASSIGN(ServerChange change, status.what_follows(request.server));
  if (request.state == ServerState::removed) TRY(may_remove(*server, change.load, request.force));
  if (request.dry_run || server->state == request.state) return change;
  TRY(cluster.set_state(request.server, request.state));
  change.changed = true;
  return change;
}

}  // namespace cairn
