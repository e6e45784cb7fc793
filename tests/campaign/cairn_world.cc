#include "tests/campaign/cairn_world.h"

#include <algorithm>

#include "chunkserver/chunkserver.h"
#include "chunkserver/worker/worker.h"
#include "common/probes/rare_path.h"
#include "common/rpc/meta_client.h"
#include "metaserver/metaserver.h"

namespace cairn {

CairnWorld::CairnWorld(const WorldOptions& options, int story_to)
    : options_(options), cluster_(options.seed), story_(cluster_.scheduler(), story_to) {
  cluster_.scheduler().on_death([this](SimProcess process) {
    const std::string worker = cluster_.scheduler().name_of(process) + "/worker";
    // One whose own fiber takes the machine along dies last (SimCluster::die_here).
    if (cluster_.scheduler().name_of(cluster_.scheduler().current_process()) != worker) cluster_.kill(worker);
  });
}

void CairnWorld::serve_for_ever() {
  Mutex mutex;
  CondVar never;
  Lock lock(mutex);
  while (true) never.wait(lock);
}

void CairnWorld::serve_metadata(SimMachine& machine) {
  MetaserverOptions options;
  options.listen = {machine.name, kMetaPort};
  options.log_directory = "/log";
  options.default_class.policy = options_.policy;
  options.default_class.cell_bytes = options_.cell_bytes;
  options.seed = machine.seed;
  options.session_ttl = options_.session_ttl;
  options.quarantine = options_.quarantine;
  options.health.down_after = options_.down_after;
  options.shard_sweep = 10s;              // so that shards which come back late are found before the end
  options.log_segment_bytes = 64u << 10;  // small, so that trimming and replay happen
  options.flush_log_bytes = 128u << 10;
  options.flush_interval = 5s;
  options.on_failure = [this](const Error& error) {  // as main.cc: the process ends
    if (!cluster_.disk(kMeta).has_faults()) story_.wrong("the metaserver failed: {}", error.what);
    story_.tell("the metaserver ends itself: {}", error.what);
    die_here(SimCluster::Death::killed);
  };
  Metaserver server(machine.network, machine.clock, machine.disk, store_, options);
  if (const Status started = server.start(); !started.ok() && cluster_.disk(kMeta).has_faults()) {
    story_.tell("the metaserver does not start: {}", started.error().what);
    die_here(SimCluster::Death::killed);
  } else {
    story_.must("the metaserver's start", started);
  }
  serve_for_ever();
}

void CairnWorld::serve_chunks(SimMachine& machine, uint32_t index) {
  ChunkserverOptions options;
  options.data = "/data";
  options.listen = {machine.name, kChunkPort};
  options.metaserver = Address{kMeta, kMetaPort};
  options.labels = {.site = "site", .rack = "rack", .host = fmt::format("h{}", index), .disk = "0"};
  options.buffer_bytes = 8u << 20;
  Chunkserver server(machine.network, machine.clock, machine.disk, options, machine.seed);
  story_.must(fmt::format("the start of chunkserver {}", machine.name), server.start());
  if (options_.workers && server.wait_until_registered(Instant::never()) && !cluster_.running(worker(index))) {
    cluster_.start(worker(index), [this, index, own = server.identity().get().server](SimMachine& same) {
      serve_tasks(same, index, own);
    });
  }
  serve_for_ever();
}

// One that cannot start ends, and is started again: here by itself, after a pause.
void CairnWorld::serve_tasks(SimMachine& machine, uint32_t index, ServerId own) {
  ++workers_begun_;
  WorkerOptions options;
  options.metaserver = {kMeta, kMetaPort};
  options.data = "/data";
  options.own = own;
  options.slots = options_.task_slots;
  options.listen = {machine.name, kWorkerPort};
  options.inline_partial = options_.inline_partial;
  for (options.seed = machine.seed | 1;; options.seed += 2) {
    Worker worker(machine.network, machine.clock, machine.disk, options);
    const Status started = worker.start();
    if (started.ok()) serve_for_ever();
    story_.tell("the worker of c{} does not start: {}", index, started.error().what);
    sleep(1s);
  }
}

void CairnWorld::start_servers() {
  cluster_.start(kMeta, [this](SimMachine& machine) { serve_metadata(machine); });
  for (uint32_t i = 0; i < options_.chunkservers; ++i) {
    cluster_.start(chunkserver(i), [this, i](SimMachine& machine) { serve_chunks(machine, i); });
  }
  wait_until_all_up();
}

void CairnWorld::start_jobs(std::function<void(SimMachine&)> program) { cluster_.start(kJobs, std::move(program)); }

void CairnWorld::start_again(const std::string& process) {
  const size_t slash = process.find('/');
  const bool is_worker = slash != std::string::npos;
  if (is_worker && (!cluster_.running(process.substr(0, slash)) || cluster_.running(process))) return;
  story_.tell("{} starts again", process);
  cluster_.restart(process);
}

void CairnWorld::freeze(const std::string& chunkserver) {
  cluster_.freeze(chunkserver);
  cluster_.freeze(chunkserver + "/worker");
}

void CairnWorld::thaw(const std::string& chunkserver) {
  cluster_.thaw(chunkserver);
  cluster_.thaw(chunkserver + "/worker");
}

void CairnWorld::jump_wall(const std::string& machine, Duration by) {
  cluster_.clock(machine).jump_wall(by);
  wall_jumped_ |= machine == kMeta;
}

void CairnWorld::lose_unflushed_metadata() { store_.crash(cluster_.random()()); }

void CairnWorld::kill_metaserver() {
  cluster_.kill(kMeta);
  lose_unflushed_metadata();
}

void CairnWorld::cut_metaserver() {
  cluster_.power_cut(kMeta);
  lose_unflushed_metadata();
}

void CairnWorld::restart_metaserver() { cluster_.restart(kMeta); }

void CairnWorld::cut_everything() {
  cluster_.power_cut_everything();
  lose_unflushed_metadata();
}

void CairnWorld::restart_everything() {
  restart_metaserver();
  for (uint32_t i = 0; i < options_.chunkservers; ++i) cluster_.restart(chunkserver(i));
  for (uint32_t i = 0; i < options_.clients; ++i) cluster_.restart(client(i));
  if (options_.workers) cluster_.restart(kJobs);
}

void CairnWorld::die_here(SimCluster::Death death) {
  if (death == SimCluster::Death::everything || cluster_.machine_here() == kMeta) lose_unflushed_metadata();
  cluster_.die_here(death);
}

void CairnWorld::begin_judging(const std::string& client) {
  judges_.erase(client);  // of an earlier process, which died over it
  wait_until("it is calm", 600s, [this] { return calm_; });
  judges_.insert(client);
}

void CairnWorld::wait_until(const std::string& what, Duration longest, const std::function<bool()>& done) {
  const Instant deadline = cluster_.scheduler().now() + longest;
  while (!done()) {
    if (cluster_.scheduler().now() > deadline) {
      story_.tell("{}", cluster_.scheduler().describe_waiting());
      tell_status();
      if (tell_more_) tell_more_();
      story_.wrong("after {} s still not: {}", longest / 1s, what);
    }
    sleep(100ms);
  }
}

ClusterStatus CairnWorld::status() {
  Network& network = cluster_.network_of("admin");
  MetaClient meta(network, cluster_.clock("admin"), {kMeta, kMetaPort});
  return story_.must("status", meta.status());
}

void CairnWorld::tell_status() {
  const ClusterStatus now = status();
  story_.tell(
      "status: {} chunks ({} open, {} garbage), {} live bytes, {} pending punches, {} inodes, {} missing shards",
      now.chunks, now.open_chunks, now.garbage_chunks, now.live_bytes, now.pending_punches, now.inodes,
      now.missing_shards);
  for (const SessionStatus& session : now.sessions) {
    story_.tell("  session {} of {}: expires in {} ms, {} open chunks", raw(session.session), session.name,
                session.expires_in_ms, session.open_chunks);
  }
  for (const ServerInfo& server : now.servers) {
    story_.tell("  server {} at {}: {}, silent for {} ms", raw(server.server), server.address.text(),
                name_of(server.health), server.silent_ms);
  }
  MetaClient meta(cluster_.network_of("admin"), cluster_.clock("admin"), {kMeta, kMetaPort});
  for (const ChunkInfo& chunk : story_.must("list_chunks", meta.list_chunks({}, 100))) {
    std::string servers;
    for (const ServerId server : chunk.servers) servers += fmt::format(" {}", raw(server));
    story_.tell("  chunk {}: ec({},{}) on{}, {}, committed {}, live {}", raw(chunk.chunk), chunk.code.d, chunk.code.m,
                servers, chunk.sealed ? "sealed" : "open", chunk.committed, chunk.live_bytes);
  }
}

void CairnWorld::wait_until_all_up() {
  wait_until("all chunkservers are up", 60s, [&] {
    const ClusterStatus now = status();
    return now.servers.size() == options_.chunkservers &&
           std::ranges::all_of(now.servers, [](const ServerInfo& server) { return server.health == Health::up; });
  });
}

FilesystemOptions CairnWorld::mount_options(const SimMachine& machine) const {
  FilesystemOptions options;
  options.metaserver = {kMeta, kMetaPort};
  options.name = machine.name;
  options.seed = machine.seed | 1;
  options.cache_bytes = options_.cache_bytes;
  return options;
}

void CairnWorld::new_life(uint64_t client) {
  begun_.resize(std::max<size_t>(begun_.size(), client + 1));
  ++begun_[client];
  giving_up_.erase(client);
}

uint64_t CairnWorld::lives() {
  std::vector<Life> now;
  for (uint32_t i = 0; i < options_.clients; ++i)
    now.push_back({i < begun_.size() ? begun_[i] : 0, cluster_.running(client(i))});
  const uint64_t expired = rare_path_counts()[static_cast<size_t>(RarePath::expired_session)];
  if (now == seen_ && expired == seen_expired_ && giving_up_.empty()) return lives_;
  seen_.resize(now.size());
  for (uint32_t i = 0; i < now.size(); ++i) {
    if (!(now[i] == seen_[i]) || expired != seen_expired_ || giving_up_.contains(i)) shared_.log.forget(i);
  }
  seen_expired_ = expired;
  for (RegisterModel& one : shared_.registers) one.forget();
  seen_ = std::move(now);
  return ++lives_;
}

}  // namespace cairn
