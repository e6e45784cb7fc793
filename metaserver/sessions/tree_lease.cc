#include "metaserver/sessions/tree_lease.h"

namespace cairn {

std::vector<TreeLease::Recall> TreeLease::recall_all_but(SessionId but) {
  std::vector<Recall> recalls;
  for (auto& [session, mount] : mounts_) {
    if (session == but || !mount.may_cache || mount.recall != 0) continue;
    mount.recall = next_generation_++;
    recalls.push_back({session, Lease{InodeId{0}, LeaseKind::exclusive, mount.recall}});
  }
  return recalls;
}

void TreeLease::restore(const std::vector<SessionId>& mounts) {
  for (const SessionId session : mounts)
    mounts_[session] = Mount{.may_cache = true, .unsaid = mounts.size() > 1, .generation = next_generation_++};
}

std::vector<TreeLease::Recall> TreeLease::reclaim(SessionId session) {
  const auto it = mounts_.find(session);
  if (it == mounts_.end()) return {};
  it->second.unsaid = false;
  if (!it->second.may_cache || it->second.recall != 0 || mounts_.size() == 1) return {};
  it->second.recall = next_generation_++;
  return {{session, Lease{InodeId{0}, LeaseKind::exclusive, it->second.recall}}};
}

std::vector<TreeLease::Recall> TreeLease::open(SessionId session) {
  Mount& mount = mounts_[session];
  if (mount.started) return {};
  mount.unsaid = false;
  mount.recall = 0;  // it starts anew and caches nothing: a recall under way is answered by that
  mount.may_cache = mounts_.size() == 1;
  mount.generation = mount.may_cache ? next_generation_++ : 0;
  return recall_all_but(session);
}

void TreeLease::seen(SessionId session) {
  const auto it = mounts_.find(session);
  if (it != mounts_.end()) it->second.started = true;
}

bool TreeLease::admitted(SessionId session) const {
  if (!mounts_.contains(session)) return false;
  for (const auto& [other, mount] : mounts_) {
    if (other != session && mount.may_cache) return false;
  }
  return true;
}

bool TreeLease::sole(SessionId session) const {
  const auto it = mounts_.find(session);
  return it != mounts_.end() && it->second.may_cache && !it->second.unsaid && admitted(session);
}

void TreeLease::acknowledge(SessionId session, uint64_t generation) {
  const auto it = mounts_.find(session);
  if (it == mounts_.end() || it->second.recall == 0 || generation < it->second.recall) return;
  release(session);
}

void TreeLease::release(SessionId session) {
  const auto it = mounts_.find(session);
  if (it != mounts_.end()) it->second = Mount{.started = true};
}

bool TreeLease::acquire(SessionId session) {
  const auto it = mounts_.find(session);
  if (it == mounts_.end() || mounts_.size() > 1) return false;
  if (!it->second.may_cache || it->second.recall != 0)
    it->second = Mount{.may_cache = true, .started = true, .generation = next_generation_++};
  return true;
}

void TreeLease::end(SessionId session) { mounts_.erase(session); }

Lease TreeLease::lease(SessionId session) const {
  const auto it = mounts_.find(session);
  return Lease{InodeId{0}, LeaseKind::exclusive, it == mounts_.end() ? 0 : it->second.generation};
}

}  // namespace cairn
