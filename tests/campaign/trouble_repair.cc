// Troubles that need repair: disks that are lost for good, at most m at a time, and servers that are drained.
//
// Other troubles go on meanwhile, within what is promised to be survived. It is over when everything is fully redundant
// on the other servers; then each comes back with an empty disk, as a new server.
#include <algorithm>

#include "common/rpc/meta_client.h"
#include "tests/campaign/trouble.h"

namespace cairn {
namespace {

constexpr uint64_t kNeedOneIn = 8;         // troubles
constexpr Duration kLongestRepair = 400s;  // of what a run stores, with troubles on the way
constexpr Duration kPatience = 3s;         // of a question that may go to a dead metaserver

}  // namespace

void Trouble::need_repair() {
  if (!kinds_.repair || !repairs_.one_in(kNeedOneIn)) return;
  repairs_.one_in(3) ? drain_someone() : lose_disks();
}

std::optional<ClusterStatus> Trouble::try_status() {
  if (!cluster_.running(CairnWorld::kMeta)) return std::nullopt;
  MetaClient meta(cluster_.network_of("admin"), cluster_.clock("admin"), {CairnWorld::kMeta, CairnWorld::kMetaPort},
                  {.call_timeout = kPatience, .attempt_timeout = kPatience});
  auto status = meta.status();
  if (!status.ok()) return std::nullopt;
  return std::move(status).value();
}

bool Trouble::try_change(ServerId server, ServerState state) {
  MetaClient meta(cluster_.network_of("admin"), cluster_.clock("admin"), {CairnWorld::kMeta, CairnWorld::kMetaPort},
                  {.call_timeout = kPatience, .attempt_timeout = kPatience});
  const auto changed = meta.change_server({.server = server, .state = state});
  return changed.ok() || changed.code() == Errc::not_found;  // removed by a try whose answer was lost
}

// With some other troubles until then. False if it takes too long.
template <typename Done>
bool Trouble::go_on_until(Duration longest, const Done& done) {
  const Instant deadline = cluster_.scheduler().now() + longest;
  while (cluster_.scheduler().now() < deadline) {
    world_.sleep(between(repairs_, 100ms, 2s));
    mend_those_due();
    if (const auto status = try_status(); status && done(*status)) return true;
    if (cluster_.scheduler().now() + longest / 2 > deadline) continue;  // from now on undisturbed
    switch (repairs_.below(12)) {
      case 0:
        trouble_metaserver();
        break;
      case 1:
        trouble_network();
        break;
      case 2:
      case 3:
        arm_kill_point();
        break;
      default:
        break;
    }
  }
  return false;
}

void Trouble::lose_disks() {
  for (uint64_t tries = repairs_.between(1, world_.options().policy.m); tries > 0; --tries) {
    const auto index = static_cast<uint32_t>(repairs_.below(world_.options().chunkservers));
    if (!may_impair(index)) continue;
    const std::string name = CairnWorld::chunkserver(index);
    story_.tell("{} loses its disk", name);
    cluster_.power_cut(name);
    cluster_.disk(name).replace();
    lost_.push_back(index);
  }
  if (lost_.empty()) return;
  const auto is_lost = [&](const ServerInfo& server) {
    return std::ranges::any_of(lost_, [&](uint32_t index) {
      return server.address.host == CairnWorld::chunkserver(index) && server.health == Health::down;
    });
  };
  std::vector<ServerId> servers;
  const bool repaired = go_on_until(kLongestRepair, [&](const ClusterStatus& status) {
    servers.clear();
    for (const ServerInfo& server : status.servers) {
      if (is_lost(server)) servers.push_back(server.server);
    }
    return servers.size() == lost_.size() && status.missing_shards == 0;
  });
  if (!repaired) {
    world_.tell_status();
    story_.wrong("lost shards are not made again");
  }
  for (const ServerId server : servers) {
    if (!go_on_until(60s, [&](const ClusterStatus&) { return try_change(server, ServerState::removed); }))
      story_.wrong("chunkserver {} is not removed", raw(server));
  }
  for (const uint32_t index : std::exchange(lost_, {})) {
    story_.tell("{} has a new disk", CairnWorld::chunkserver(index));
    restart_chunkserver(CairnWorld::chunkserver(index));
  }
}

void Trouble::drain_someone() {
  const auto status = try_status();
  if (!status) return;
  std::vector<ServerId> up;
  for (const ServerInfo& server : status->servers) {
    if (server.health == Health::up) up.push_back(server.server);
  }
  if (up.empty()) return;
  const ServerId server = up[repairs_.below(up.size())];
  const bool told = try_change(server, ServerState::draining);  // if not, it may be draining all the same
  story_.tell("chunkserver {} {}", raw(server), told ? "is draining" : "may be draining");
  // It may be lost meanwhile, or others may be, so that nobody can take its shards: then that is not to be waited for.
  const bool drained = told && go_on_until(60s, [&](const ClusterStatus& now) {
                         return std::ranges::any_of(now.repair.draining, [&](const ServerLoad& load) {
                           return load.server == server && load.shards == 0;
                         });
                       });
  story_.tell("chunkserver {} is {}", raw(server), drained ? "drained" : "not drained yet");
  if (!go_on_until(60s, [&](const ClusterStatus&) { return try_change(server, ServerState::active); }))
    story_.wrong("chunkserver {} stays draining", raw(server));
}

}  // namespace cairn
