// The cluster's status as JSON, with the names of thrift/admin.thrift.
#pragma once

#include <nlohmann/json.hpp>

#include "common/meta/admin.h"

namespace cairn::tools {

nlohmann::ordered_json to_json(const ClusterStatus& status, const Address& metaserver);
nlohmann::ordered_json to_json(const ServerInfo& server);

}  // namespace cairn::tools
