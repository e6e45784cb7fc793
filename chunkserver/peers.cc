#include "chunkserver/peers.h"

#include <fmt/format.h>

namespace cairn {

Peers::Peers(Network& network, Clock& clock, MetaClient* metaserver)
    : metaserver_(metaserver),
      client_(network, clock, [this](ServerId server, bool refresh) { return address_of(server, refresh); }) {}

Result<Address> Peers::address_of(ServerId server, bool refresh) {
  for (bool fresh = refresh;; fresh = true) {
    if (fresh && metaserver_ != nullptr) {
      ASSIGN(const ClusterMap map, metaserver_->cluster_map());
      const Lock lock(mutex_);
      addresses_.clear();
      for (const ServerInfo& one : map.servers) addresses_[one.server] = one.address;
    }
    const Lock lock(mutex_);
    if (const auto found = addresses_.find(server); found != addresses_.end()) return found->second;
    if (fresh || metaserver_ == nullptr)
      return Error{Errc::unavailable, fmt::format("chunkserver {} is not in the cluster map", raw(server))};
  }
}

}  // namespace cairn
