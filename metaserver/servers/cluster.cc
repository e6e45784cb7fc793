#include "metaserver/servers/cluster.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace cairn {

Cluster::Cluster(Clock& clock, Committer& committer, const OrderedStore& store, Options options)
    : clock_(clock),
      committer_(committer),
      store_(store),
      options_(std::move(options)),
      membership_(options_.timeouts),
      random_(options_.seed) {}

Status Cluster::restore() {
  ASSIGN(const auto records, queries::servers(*store_.view()));
  const Lock lock(mutex_);
  for (const Record& record : records) {
    records_[record.server] = record;
    by_uuid_[record.uuid] = record.server;
    membership_.add(record.server, clock_.now());
  }
  return {};
}

Result<HeartbeatAnswer> Cluster::heartbeat(const Heartbeat& report) {
  if (raw(report.incarnation) != 0 && report.incarnation != options_.incarnation) {
    return Error{
        Errc::invalid,
        fmt::format(
            "chunkserver {} has shards of database {:016x}, and this metaserver serves {:016x}: point it to its own "
            "metaserver, or give it an empty data directory",
            report.address.text(), raw(report.incarnation), raw(options_.incarnation))};
  }
  ServerId server{};
  bool known = false;
  {
    const Lock lock(mutex_);
    if (const auto it = by_uuid_.find(report.uuid); it != by_uuid_.end()) {
      server = it->second;
      const Record& record = records_[server];
      known = record.address == report.address && record.labels == report.labels;
    } else if (records_.size() >= options_.most_servers) {
      return Error{Errc::busy, fmt::format("{} chunkservers are registered, and no more are: {} gets no shards",
                                           records_.size(), report.address.text())};
    }
  }
  if (!known) {
    ASSIGN(const Answer answer, committer_.propose(RegisterServer{report.uuid, report.address, report.labels}));
    server = std::get<ServerId>(answer);
    if (const auto left_out = registrations_.admit(clock_.now()))
      spdlog::info("chunkserver {} is {} on host '{}'{}", raw(server), report.address.text(), report.labels.host,
                   *left_out);
  }
  std::vector<Transition> transitions;
  {
    const Lock lock(mutex_);
    if (!known) {
      records_[server] = Record{server, report.uuid, report.address, report.labels};
      by_uuid_[report.uuid] = server;
    }
    promised_.erase(server);
    transitions = membership_.on_heartbeat(
        server, {report.boot, report.total_bytes, report.free_bytes, report.shards, report.bad_records}, clock_.now());
  }
  note(transitions);
  if (!known && options_.on_map_changed) options_.on_map_changed();
  ASSIGN(const auto counters, queries::counters(*store_.view()));
  return HeartbeatAnswer{server, options_.incarnation, counters.map_epoch, options_.heartbeat_interval};
}

void Cluster::tick() {
  std::vector<Transition> transitions;
  {
    const Lock lock(mutex_);
    transitions = membership_.on_tick(clock_.now());
  }
  note(transitions);
}

void Cluster::note(const std::vector<Transition>& transitions) {
  if (transitions.empty()) return;
  health_version_.fetch_add(1, std::memory_order_acq_rel);
  for (const Transition& transition : transitions) {
    spdlog::info("chunkserver {} is {}", raw(transition.server), name_of(transition.health));
  }
}

std::vector<ServerInfo> Cluster::servers() const {
  const Lock lock(mutex_);
  const Instant now = clock_.now();
  std::vector<ServerInfo> servers;
  for (const auto& [id, record] : records_) {
    ServerInfo info{.server = id, .address = record.address, .uuid = record.uuid, .labels = record.labels};
    if (const Membership::Member* member = membership_.find(id); member != nullptr) {
      info.health = member->health;
      info.total_bytes = member->report.total_bytes;
      info.free_bytes = member->report.free_bytes;
      info.boot = member->report.boot;
      if (member->heard)
        info.silent_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - member->last_heard).count();
    }
    servers.push_back(std::move(info));
  }
  return servers;
}

Result<ClusterMap> Cluster::map() const {
  const auto view = store_.view();
  ClusterMap map;
  ASSIGN(const auto counters, queries::counters(*view));
  map.epoch = counters.map_epoch;
  map.incarnation = options_.incarnation;
  ASSIGN(map.classes, queries::classes(*view));
  map.servers = servers();
  return map;
}

Result<Address> Cluster::address(ServerId server) const {
  const Lock lock(mutex_);
  const auto it = records_.find(server);
  if (it == records_.end()) return Error{Errc::not_found, fmt::format("there is no chunkserver {}", raw(server))};
  return it->second.address;
}

std::map<ServerId, Health> Cluster::health() const {
  const Lock lock(mutex_);
  std::map<ServerId, Health> health;
  for (const auto& [server, member] : membership_.members()) health[server] = member.health;
  return health;
}

bool Cluster::up(ServerId server) const {
  const Lock lock(mutex_);
  return membership_.health(server) == Health::up;
}

std::vector<Candidate> Cluster::candidates() const {
  const Lock lock(mutex_);
  return candidates_locked();
}

std::vector<Candidate> Cluster::candidates_locked() const {
  std::vector<Candidate> candidates;
  for (const auto& [id, record] : records_) {
    const Membership::Member* member = membership_.find(id);
    if (member == nullptr) continue;
    const auto promised = promised_.find(id);
    candidates.push_back({id, record.labels, member->health, member->report.total_bytes, member->report.free_bytes,
                          promised == promised_.end() ? 0 : promised->second});
  }
  return candidates;
}

Result<std::vector<Placement>> Cluster::place(const PlacementRequest& request, uint32_t count, uint64_t shard_bytes) {
  const Lock lock(mutex_);
  std::vector<Placement> placements;
  for (uint32_t i = 0; i < count; ++i) {
    ASSIGN(Placement placement, cairn::place(candidates_locked(), request, random_()));
    for (const ServerId server : placement.servers) promised_[server] += shard_bytes;
    placements.push_back(std::move(placement));
  }
  return placements;
}

}  // namespace cairn
