// A chunkserver's first heartbeat, or the first one from another address.
#include "metaserver/ops/operations.h"

namespace cairn::ops {

Result<Answer> run(Operation& operation, const RegisterServer& request) {
  if (request.uuid.empty() || request.uuid.size() > 255)
    return Error{Errc::invalid, "a server's uuid has 1 to 255 bytes"};
  if (request.address.host.empty() || request.address.host.size() > 255 || request.address.port == 0) {
    return Error{Errc::invalid, fmt::format("'{}' is not an address", request.address.text().substr(0, 300))};
  }
  const Labels& labels = request.labels;
  for (const std::string* label : {&labels.site, &labels.rack, &labels.host, &labels.disk}) {
    if (label->size() > 255) return Error{Errc::invalid, "a server's label has at most 255 bytes"};
  }
  ASSIGN(const std::optional<UuidRow> known, find_row<UuidRow>(operation.rows, keys::uuid(request.uuid)));
  ServerRow row{operation.index, request.uuid, request.address, request.labels};
  if (known) {
    ASSIGN(const std::optional<ServerRow> before, find_row<ServerRow>(operation.rows, keys::server(known->server)));
    if (!before) return Error{Errc::corrupt, fmt::format("metadata: server {} does not exist", raw(known->server))};
    row.birth = before->birth;
    if (row == *before) return Answer(known->server);
  }

  ASSIGN(queries::Counters* const counters, operation.counters());
  const ServerId server = known ? known->server : ServerId{counters->next_server++};
  counters->map_epoch = Epoch{raw(counters->map_epoch) + 1};
  operation.rows.put(keys::server(server), encode_row(row));
  operation.rows.put(keys::uuid(request.uuid), encode_row(UuidRow{server}));
  return Answer(server);
}

}  // namespace cairn::ops
