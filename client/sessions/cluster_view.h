// The cluster map as a client last saw it: where servers are, what storage classes there are.
//
// Any thread. The mutex is not held while the map is fetched; whoever comes meanwhile uses the old one.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "common/base/network.h"
#include "common/base/thread.h"
#include "common/meta/cluster.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class ClusterView {
 public:
  explicit ClusterView(MetaClient& meta) : meta_(meta) {}
  Status refresh();
  Result<Address> address_of(ServerId server, bool refresh_first);
  // Bytes of a full stripe of a class, for deciding when a stream has enough; 1 MiB if the class is not known yet.
  uint64_t stripe_bytes(ClassId storage_class) const;

 private:
  MetaClient& meta_;
  mutable Mutex mutex_;
  std::map<ServerId, Address> servers_;
  std::map<ClassId, StorageClass> classes_;
};

// One ChunkInfo for all extents that name the chunk.
class ChunkDirectory {
 public:
  std::shared_ptr<const ChunkInfo> intern(const ChunkInfo& info);

 private:
  Mutex mutex_;
  std::unordered_map<ChunkId, std::weak_ptr<const ChunkInfo>> chunks_;
  size_t sweep_at_ = 1024;
};

}  // namespace cairn
