#include "client/sessions/cluster_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn {

Status ClusterView::refresh() {
  ASSIGN(const ClusterMap map, meta_.cluster_map());
  Lock lock(mutex_);
  servers_.clear();
  for (const ServerInfo& server : map.servers) servers_[server.server] = server.address;
  for (const StorageClass& one : map.classes) classes_[one.id] = one;
  return {};
}

Result<Address> ClusterView::address_of(ServerId server, bool refresh_first) {
  if (!refresh_first) {
    Lock lock(mutex_);
    if (const auto found = servers_.find(server); found != servers_.end()) return found->second;
  }
  TRY(refresh());
  Lock lock(mutex_);
  if (const auto found = servers_.find(server); found != servers_.end()) return found->second;
  return Error{Errc::unavailable, fmt::format("chunkserver {} is not in the cluster map", raw(server))};
}

uint64_t ClusterView::stripe_bytes(ClassId storage_class) const {
  Lock lock(mutex_);
  const auto found = classes_.find(storage_class);
  if (found == classes_.end() || found->second.cell_bytes == 0) return 1 << 20;
  return uint64_t{found->second.policy.d} * found->second.cell_bytes;
}

std::shared_ptr<const ChunkInfo> ChunkDirectory::intern(const ChunkInfo& info) {
  Lock lock(mutex_);
  std::weak_ptr<const ChunkInfo>& slot = chunks_[info.chunk];
  if (auto there = slot.lock(); there != nullptr && there->servers == info.servers && there->code == info.code)
    return there;
  auto made = std::make_shared<const ChunkInfo>(info);
  slot = made;
  if (chunks_.size() > sweep_at_) {
    std::erase_if(chunks_, [](const auto& one) { return one.second.expired(); });
    sweep_at_ = std::max<size_t>(1024, chunks_.size() * 2);
  }
  return made;
}

}  // namespace cairn
