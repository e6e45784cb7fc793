#include "metaserver/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "metaserver/state/queries.h"
#include "metaserver/state/state_machine.h"

namespace cairn {

StatusReporter::StatusReporter(Clock& clock, const OrderedStore& store, const CommandLog& log,
                               const Committer& committer, const Cluster& cluster, const Sessions& sessions,
                               Findings findings)
    : clock_(clock),
      store_(store),
      log_(log),
      committer_(committer),
      cluster_(cluster),
      sessions_(sessions),
      findings_(std::move(findings)),
      started_(clock.now()) {}

Result<Redundancy> StatusReporter::redundancy() const {
  // Read before the scan: what changes meanwhile makes the result old, never wrongly new.
  const Instant now = clock_.now();
  const uint64_t health_version = cluster_.health_version();
  const LogIndex applied = committer_.applied();
  const auto lost = findings_.lost();
  {
    const Lock lock(mutex_);
    if (last_scan_ && last_scan_->health_version == health_version && last_scan_->lost == lost &&
        (last_scan_->applied == applied || now - last_scan_->at < kKeepFor)) {
      return last_scan_->redundancy;
    }
  }
  const auto health = cluster_.health();
  const auto view = store_.view();
  std::map<ClassId, uint8_t> data_shards;
  ASSIGN(const auto classes, queries::classes(*view));
  for (const StorageClass& storage_class : classes) data_shards[storage_class.id] = storage_class.policy.d;
  Redundancy sum;
  constexpr uint32_t kPage = 4096;
  for (ChunkId after{};;) {
    ASSIGN(const auto chunks, queries::chunks(*view, after, kPage));
    for (const ChunkInfo& chunk : chunks) {
      const auto gone = lost->find(chunk.chunk);
      sum.add(chunk, health, data_shards[chunk.storage_class], gone == lost->end() ? 0 : gone->second);
    }
    if (chunks.size() < kPage) break;
    after = chunks.back().chunk;
  }
  const Lock lock(mutex_);
  last_scan_ = Scan{sum, now, health_version, applied, lost};
  return sum;
}

Result<ClusterStatus> StatusReporter::status(bool with_state_hash) const {
  const auto view = store_.view();
  ClusterStatus status;
  ASSIGN(const auto counters, queries::counters(*view));
  ASSIGN(status.incarnation, queries::incarnation(*view));
  ASSIGN(status.classes, queries::classes(*view));
  status.epoch = counters.map_epoch;
  status.uptime_ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - started_).count();
  status.inodes = counters.inodes;
  status.chunks = counters.chunks;
  status.open_chunks = counters.open_chunks;
  status.live_bytes = counters.live_bytes;
  status.garbage_chunks = counters.garbage_chunks;
  status.pending_punches = counters.pending_punches;
  status.log_bytes = log_.bytes();
  ASSIGN(const auto applied, queries::applied(*view));
  status.applied_index = raw(applied.index);

  ASSIGN(const Redundancy redundancy, this->redundancy());
  status.missing_shards = redundancy.missing_shards;
  status.unreadable_chunks = redundancy.unreadable_chunks;
  status.shortened_chunks = redundancy.shortened_chunks;
  // Without any data, what the default class would give it.
  const auto fallback = std::find_if(status.classes.begin(), status.classes.end(),
                                     [](const StorageClass& c) { return c.id == kDefaultClass; });
  status.survivable_losses = redundancy.unreadable_chunks > 0   ? -1
                             : redundancy.least                 ? *redundancy.least
                             : fallback != status.classes.end() ? fallback->policy.m
                                                                : 0;
  status.troubles = findings_.troubles();
  status.servers = cluster_.servers();
  status.repair = findings_.repair();
  for (const ServerInfo& server : status.servers) {
    if (server.state != ServerState::draining) continue;
    const auto load = redundancy.held.find(server.server);
    status.repair.draining.push_back(load == redundancy.held.end() ? ServerLoad{.server = server.server}
                                                                   : load->second);
  }
  status.sessions = sessions_.list();
  ASSIGN(const auto open, queries::open_chunks(*view));
  std::map<SessionId, uint32_t> open_of;
  for (const auto& record : open) ++open_of[record.owner];
  for (SessionStatus& session : status.sessions) session.open_chunks = open_of[session.session];
  if (with_state_hash) {
    ASSIGN(const uint64_t hash, state_hash(*view));
    status.state_hash = fmt::format("{:016x}", hash);
  }
  return status;
}

Result<ServerChange> StatusReporter::what_follows(ServerId server) const {
  ServerChange change{.load = {.server = server}};
  auto without = cluster_.health();
  without.erase(server);
  const auto lost = findings_.lost();
  const auto view = store_.view();
  constexpr uint32_t kPage = 4096;
  for (ChunkId after{};;) {
    ASSIGN(const auto chunks, queries::chunks(*view, after, kPage));
    for (const ChunkInfo& chunk : chunks) {
      if (std::ranges::find(chunk.servers, server) == chunk.servers.end()) continue;
      if (chunk.sealed && chunk.live_bytes == 0) continue;  // dead
      ++change.load.shards;
      change.load.bytes += chunk.live_bytes / chunk.code.d;
      const auto gone = lost->find(chunk.chunk);
      Redundancy left;
      left.add(chunk, without, 0, gone == lost->end() ? 0 : gone->second);
      if (left.least && *left.least <= 0) ++change.at_risk;
    }
    if (chunks.size() < kPage) break;
    after = chunks.back().chunk;
  }
  for (const Candidate& other : cluster_.candidates()) {
    if (other.server == server || other.health != Health::up) continue;
    change.free_elsewhere +=
        other.free_bytes - std::min(other.free_bytes, reserve_bytes(other.total_bytes) + other.promised_bytes);
  }
  change.bytes_per_second = findings_.repair().bytes_per_second;
  return change;
}

Result<FilesystemSpace> StatusReporter::space() const {
  const auto view = store_.view();
  ASSIGN(const auto counters, queries::counters(*view));
  ASSIGN(const Attributes root, queries::attributes(*view, kRootInode));
  ASSIGN(const StorageClass storage_class, queries::storage_class(*view, root.storage_class));
  uint64_t total = 0;
  uint64_t free = 0;
  std::set<std::string> domains;
  for (const Candidate& server : cluster_.candidates()) {
    if (server.health == Health::down || server.total_bytes == 0) continue;
    total += server.total_bytes;
    if (server.health != Health::up) continue;
    free += server.free_bytes - std::min(server.free_bytes, reserve_bytes(server.total_bytes) + server.promised_bytes);
    if (auto domain = domain_of(server.labels, storage_class.failure_domain); domain.ok()) domains.insert(*domain);
  }
  const uint64_t m = storage_class.policy.m;
  const bool writable = domains.size() > m;
  const uint64_t d = writable ? std::min<uint64_t>(storage_class.policy.d, domains.size() - m) : storage_class.policy.d;
  const auto data_part = [&](uint64_t bytes) { return bytes / (d + m) * d; };
  return FilesystemSpace{data_part(total), writable ? data_part(free) : 0, counters.inodes};
}

}  // namespace cairn
