// What an administrator decides about a server: active, draining, or removed, which is for good.
#include "metaserver/ops/operations.h"

namespace cairn::ops {

Result<Answer> run(Operation& operation, const SetServerState& request) {
  ASSIGN(const auto server, find_row<ServerRow>(operation.rows, keys::server(request.server)));
  if (!server) return Error{Errc::not_found, fmt::format("there is no chunkserver {}", raw(request.server))};
  if (raw(request.state) >= kServerStates) return Error{Errc::invalid, "a server's state is 0, 1 or 2"};
  const std::string key = keys::server_state(request.server);
  ASSIGN(const auto before, find_row<ServerStateRow>(operation.rows, key));
  const ServerState now = before ? before->state : ServerState::active;
  if (now == request.state) return Answer();
  if (now == ServerState::removed)
    return Error{Errc::invalid, fmt::format("chunkserver {} is removed, which is for good", raw(request.server))};
  if (request.state == ServerState::active) {
    operation.rows.erase(key);
  } else {
    operation.rows.put(key, encode_row(ServerStateRow{operation.index, request.state}));
  }
  ASSIGN(queries::Counters* const counters, operation.counters());
  counters->map_epoch = Epoch{raw(counters->map_epoch) + 1};
  return Answer();
}

}  // namespace cairn::ops
