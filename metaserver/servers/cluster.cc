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
    if (record.state != ServerState::removed) membership_.add(record.server, clock_.now());
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
      if (record.state == ServerState::removed) {
        return Error{Errc::not_permitted,
                     fmt::format("chunkserver {} ({}) was removed from this cluster: give it an empty data directory, "
                                 "and it joins as a new one",
                                 raw(server), report.address.text())};
      }
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
      const ServerState state = records_[server].state;
      records_[server] = Record{server, report.uuid, report.address, report.labels, state};
      by_uuid_[report.uuid] = server;
    }
    if (records_[server].state == ServerState::removed)
      return Error{Errc::not_permitted, fmt::format("chunkserver {} has just been removed", raw(server))};
    promised_.erase(server);
    transitions = membership_.on_heartbeat(
        server, {report.boot, report.total_bytes, report.free_bytes, report.shards, report.bad_records}, clock_.now());
  }
  note(transitions);
  if (!known && options_.on_map_changed) options_.on_map_changed();
  ASSIGN(const auto counters, queries::counters(*store_.view()));
  return HeartbeatAnswer{server, options_.incarnation, counters.map_epoch, options_.heartbeat_interval};
}

Status Cluster::set_state(ServerId server, ServerState state) {
  const Outcome outcome = committer_.propose(SetServerState{server, state});
  if (!outcome.ok()) return outcome.error();
  {
    const Lock lock(mutex_);
    records_[server].state = state;
    if (state == ServerState::removed) membership_.remove(server);
  }
  health_version_.fetch_add(1, std::memory_order_acq_rel);
  spdlog::info("chunkserver {} is {}", raw(server), name_of(state));
  if (options_.on_map_changed) options_.on_map_changed();
  return {};
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

// What is heard of a server, and what was decided about it.
Health Cluster::health_locked(const Record& record) const {
  const Health heard = membership_.health(record.server);
  return heard == Health::up && record.state == ServerState::draining ? Health::draining : heard;
}

std::vector<ServerInfo> Cluster::servers() const {
  const Lock lock(mutex_);
  const Instant now = clock_.now();
  std::vector<ServerInfo> servers;
  for (const auto& [id, record] : records_) {
    if (record.state == ServerState::removed) continue;
    ServerInfo info{.server = id, .address = record.address, .uuid = record.uuid, .labels = record.labels};
    info.state = record.state;
    if (const Membership::Member* member = membership_.find(id); member != nullptr) {
      info.health = health_locked(record);
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
  if (it == records_.end() || it->second.state == ServerState::removed)
    return Error{Errc::not_found, fmt::format("there is no chunkserver {}", raw(server))};
  return it->second.address;
}

std::map<ServerId, Health> Cluster::health() const {
  const Lock lock(mutex_);
  std::map<ServerId, Health> health;
  for (const auto& [server, record] : records_) {
    if (record.state != ServerState::removed) health[server] = health_locked(record);
  }
  return health;
}

bool Cluster::answers(ServerId server) const {
  const Lock lock(mutex_);
  return cairn::answers(membership_.health(server));
}

std::vector<ServerId> Cluster::removed() const {
  const Lock lock(mutex_);
  std::vector<ServerId> removed;
  for (const auto& [server, record] : records_) {
    if (record.state == ServerState::removed) removed.push_back(server);
  }
  return removed;
}

std::vector<Candidate> Cluster::candidates() const {
  const Lock lock(mutex_);
  return candidates_locked();
}

std::vector<Candidate> Cluster::candidates_locked() const {
  std::vector<Candidate> candidates;
  for (const auto& [id, record] : records_) {
    const Membership::Member* member = membership_.find(id);
    if (member == nullptr || record.state == ServerState::removed) continue;
    const auto promised = promised_.find(id);
    candidates.push_back({id, record.labels, health_locked(record), member->report.total_bytes,
                          member->report.free_bytes, promised == promised_.end() ? 0 : promised->second});
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
