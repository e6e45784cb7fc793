#include "metaserver/metaserver.h"

#include <spdlog/spdlog.h>

#include <limits>

#include "common/base/metrics.h"
#include "common/base/random.h"
#include "common/rpc/chunk_client.h"
#include "common/rpc/rpc_server.h"
#include "metaserver/jobs/jobs.h"
#include "metaserver/log/checkpointer.h"
#include "metaserver/log/command_log.h"
#include "metaserver/log/committer.h"
#include "metaserver/log/disk_reserve.h"
#include "metaserver/log/recovery.h"
#include "metaserver/servers/cluster.h"
#include "metaserver/servers/janitor.h"
#include "metaserver/servers/repairer.h"
#include "metaserver/servers/shard_sweep.h"
#include "metaserver/service.h"
#include "metaserver/sessions/locks.h"
#include "metaserver/sessions/sessions.h"
#include "metaserver/state/queries.h"
#include "metaserver/status.h"

namespace cairn {
namespace {

// Housekeeping calls over the network.
class NetworkHousekeeping : public ShardHousekeeping, public ShardInventory, public ShardMaking {
 public:
  NetworkHousekeeping(Network& network, Clock& clock, const Cluster& cluster)
      : client_(network, clock, [&cluster](ServerId server, bool) { return cluster.address(server); }) {}
  Status seal(const ShardRef& shard, uint64_t committed, Epoch fence, Instant deadline) override {
    return client_.seal(shard, committed, fence, deadline);
  }
  Status punch(const ShardRef& shard, uint64_t place, uint64_t length, Instant deadline) override {
    return client_.punch(shard, place, length, deadline);
  }
  Status remove(const ShardRef& shard, Instant deadline) override { return client_.remove(shard, deadline); }
  Result<RebuildProgress> rebuild(const RebuildShard& request, Instant deadline) override {
    return client_.rebuild(request, deadline);
  }
  Result<std::vector<ShardSummary>> list(ServerId server, Incarnation incarnation, ChunkId after, uint32_t limit,
                                         Instant deadline) override {
    return client_.list_shards(server, incarnation, after, limit, deadline);
  }

 private:
  ChunkClient client_;
};

// Looks at silent sessions and servers.
class Ticker {
 public:
  Ticker(Clock& clock, Duration interval, Sessions& sessions, Cluster& cluster)
      : clock_(clock), interval_(interval), sessions_(sessions), cluster_(cluster), thread_("ticker", [this] {
          run();
        }) {}
  ~Ticker() { stop(); }
  void stop() {
    {
      const Lock lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    while (true) {
      {
        Lock lock(mutex_);
        wake_.wait_until(lock, clock_.now() + interval_, [&] { return stopping_; });
        if (stopping_) return;
      }
      cluster_.tick();
      sessions_.tick();
    }
  }

  Clock& clock_;
  const Duration interval_;
  Sessions& sessions_;
  Cluster& cluster_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ = false;  // guarded by mutex_
  Thread thread_;
};

}  // namespace

// Destroyed from the last to the first: those who call before those who are called.
struct Metaserver::Parts {
  std::unique_ptr<CommandLog> log;
  Recovered recovered;
  StorageClass default_class;
  std::unique_ptr<DiskReserve> reserve;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<Checkpointer> checkpointer;
  std::unique_ptr<Leases> leases;
  std::unique_ptr<Sessions> sessions;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<Locks> locks;
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<Jobs> jobs;
  std::unique_ptr<NetworkHousekeeping> housekeeping;
  std::unique_ptr<ShardSweep> sweep;
  std::unique_ptr<Repairer> repairer;
  std::unique_ptr<Janitor> janitor;
  std::unique_ptr<StatusReporter> status;
  std::unique_ptr<Ticker> ticker;
  std::unique_ptr<RpcServer> server;

  std::vector<std::string> troubles() const {
    std::vector<std::string> all;
    if (std::string full = reserve->trouble(); !full.empty()) all.push_back(std::move(full));
    if (std::string older = sweep->trouble(); !older.empty()) all.push_back(std::move(older));
    return all;
  }

  void session_ended(SessionId session) const {
    leases->end(session);
    locks->session_ended(session);
    locks->grace_changed();
    if (jobs) jobs->session_ended(session);
  }

  // No more calls from outside, nor from our own threads. Idempotent.
  void end_callers() {
    if (sessions) sessions->stop();
    if (leases) leases->stop();
    if (jobs) jobs->stop_waiting();
    if (committer) committer->give_up_waiting();  // the server's end waits for calls that wait for the committer
    if (server) server->stop();
    if (ticker) ticker->stop();
    if (jobs) jobs->stop();
    if (janitor) janitor->stop();
    if (repairer) repairer->stop();
    if (sweep) sweep->stop();
  }
};

Metaserver::Metaserver(Network& network, Clock& clock, Disk& disk, OrderedStore& store, MetaserverOptions options)
    : network_(network), clock_(clock), disk_(disk), store_(store), options_(std::move(options)) {}

Metaserver::~Metaserver() {
  if (parts_) parts_->end_callers();
}

Status Metaserver::start() {
  parts_ = std::make_unique<Parts>();
  Parts& parts = *parts_;
  Random random(options_.seed);
  const auto applied = queries::applied(*store_.view());
  if (!applied.ok() && applied.code() != Errc::not_found) return applied.error();
  ASSIGN(parts.log, CommandLog::open(disk_, {options_.log_directory, options_.log_segment_bytes, random(),
                                             applied.ok() ? applied->index : LogIndex{0}}));
  const Genesis for_new{Incarnation{random() | 1}, options_.default_class, clock_.wall_ns()};
  parts.reserve = std::make_unique<DiskReserve>(
      disk_, clock_,
      DiskReserve::Options{options_.log_directory, options_.disk_reserve_bytes, options_.disk_low_bytes});
  parts.reserve->tend();
  auto recovered = recover(*parts.log, store_, for_new);
  if (!recovered.ok() && recovered.code() == Errc::no_space && parts.reserve->release()) {
    TRY(store_.resume());
    recovered = recover(*parts.log, store_, for_new);
  }
  ASSIGN(parts.recovered, std::move(recovered));
  const Incarnation incarnation = parts.recovered.incarnation;
  ASSIGN(parts.default_class, queries::storage_class(*store_.view(), kDefaultClass));

  parts.committer = std::make_unique<Committer>(
      clock_, *parts.log, store_, parts.recovered.applied, parts.recovered.wall_ns,
      Committer::Options{.limits = {}, .on_failure = options_.on_failure, .reserve = parts.reserve.get()});
  parts.checkpointer = std::make_unique<Checkpointer>(
      clock_, *parts.log, store_, *parts.committer,
      Checkpointer::Options{
          .log_bytes = options_.flush_log_bytes, .interval = options_.flush_interval, .reserve = parts.reserve.get()});
  // A command that changes nothing: it shows that the log can be written, and its index, which no earlier run had,
  // makes the numbers of this run's events and leases larger than all before.
  const Outcome first = parts.committer->propose(DefineClass{parts.default_class});
  if (!first.ok()) return first.error();
  const uint64_t first_sequence = raw(parts.committer->applied()) << 20;

  parts.sessions = std::make_unique<Sessions>(
      clock_, *parts.committer, store_,
      Sessions::Options{.ttl = options_.session_ttl,
                        .incarnation = incarnation,
                        .first_sequence = first_sequence,
                        .most = options_.most_sessions,
                        .on_end = [&parts](SessionId session) { parts.session_ended(session); }});
  LeaseTable::Options table;
  table.first_number = first_sequence;
  table.most_of_session = options_.most_listed;
  parts.leases = std::make_unique<Leases>(
      clock_,
      Leases::Options{.table = table, .deliver = [&parts](const auto& recalls) { parts.sessions->deliver(recalls); }});
  ASSIGN(const std::vector<SessionId> mounts, parts.sessions->restore());
  parts.leases->restore(mounts);
  parts.admission = std::make_unique<Admission>(*parts.committer, store_, *parts.sessions, *parts.leases);
  // A token for each microsecond: more than can be granted, so those of the next run are larger. JSON keeps them exact.
  const uint64_t first_token = static_cast<uint64_t>(parts.committer->last_wall_ns()) / 1000;
  parts.locks = std::make_unique<Locks>(
      *parts.sessions, [&parts](SessionId session) { return parts.leases->others_unreclaimed(session); },
      Locks::Options{.run = first_sequence, .first_token = first_token, .limits = {}});
  parts.cluster =
      std::make_unique<Cluster>(clock_, *parts.committer, store_,
                                Cluster::Options{.timeouts = options_.health,
                                                 .incarnation = incarnation,
                                                 .seed = random(),
                                                 .on_map_changed = [&parts] { parts.sessions->map_changed(); },
                                                 .most_servers = options_.most_servers});
  TRY(parts.cluster->restore());
  Jobs::Options jobs;
  jobs.dispatcher.scheduler.first_attempt = AttemptId{first_sequence};
  jobs.dispatcher.scheduler.worker_timeout = options_.job_worker_timeout;
  jobs.dispatcher.start = parts.committer->applied();
  jobs.dispatcher.reclaim = options_.job_reclaim;
  jobs.planner.workers_within = options_.job_workers_within;
  jobs.planner.keep_most = options_.jobs_kept;
  parts.jobs = std::make_unique<Jobs>(clock_, *parts.committer, store_, *parts.sessions, *parts.leases,
                                      *parts.admission, *parts.cluster, jobs);
  parts.housekeeping = std::make_unique<NetworkHousekeeping>(network_, clock_, *parts.cluster);
  parts.sweep =
      std::make_unique<ShardSweep>(clock_, store_, *parts.cluster, *parts.housekeeping,
                                   ShardSweep::Options{.interval = options_.shard_sweep, .incarnation = incarnation});
  parts.repairer = std::make_unique<Repairer>(
      clock_, *parts.committer, store_, *parts.cluster, *parts.housekeeping,
      Repairer::Sweep{.lost = [&parts] { return parts.sweep->lost(); },
                      .found = [&parts](ChunkId chunk, uint8_t shard) { parts.sweep->found(chunk, shard); }},
      Repairer::Options{.parallel = options_.repair_parallel,
                        .bytes_per_second = options_.repair_bandwidth,
                        .look_every = options_.housekeeping,
                        .incarnation = incarnation,
                        .seed = random()});
  parts.janitor = std::make_unique<Janitor>(
      clock_, *parts.committer, store_, *parts.cluster, *parts.housekeeping,
      Janitor::Options{.look_every = options_.housekeeping,
                       .quarantine = options_.quarantine,
                       .incarnation = incarnation,
                       .being_made = [&parts](const StaleShard& shard) { return parts.repairer->making(shard); }});
  parts.status = std::make_unique<StatusReporter>(
      clock_, store_, *parts.log, *parts.committer, *parts.cluster, *parts.sessions,
      StatusReporter::Findings{.troubles = [&parts] { return parts.troubles(); },
                               .lost = [&parts] { return parts.sweep->lost(); },
                               .repair = [&parts] { return parts.repairer->status(); }});
  parts.server =
      std::make_unique<RpcServer>(network_, clock_,
                                  metaserver_processor({*parts.committer, store_, *parts.sessions, *parts.admission,
                                                        *parts.cluster, *parts.status, *parts.locks, *parts.jobs}),
                                  options_.rpc);
  TRY(parts.jobs->start());
  TRY(parts.server->start(options_.listen));
  parts.janitor->start();
  parts.sweep->start();
  parts.repairer->start();
  parts.ticker = std::make_unique<Ticker>(clock_, options_.tick, *parts.sessions, *parts.cluster);
  spdlog::info("metadata: {} commands applied ({} replayed from the log), {} chunkservers, {} sessions",
               raw(parts.recovered.applied), parts.recovered.replayed, parts.cluster->servers().size(),
               parts.sessions->list().size());
  return {};
}

Status Metaserver::stop() {
  if (!parts_) return {};
  parts_->end_callers();
  if (!parts_->committer || !parts_->checkpointer) return {};
  parts_->committer->stop();
  return parts_->checkpointer->stop();
}

Address Metaserver::address() const { return parts_->server->address(); }
Incarnation Metaserver::incarnation() const { return parts_->recovered.incarnation; }
bool Metaserver::created() const { return parts_->recovered.created; }
StorageClass Metaserver::default_class() const { return parts_->default_class; }

void Metaserver::add_metrics(Metrics& metrics) const {
  const Parts* parts = parts_.get();
  metrics.gauge_from("cairn_metaserver_applied_index", "Index of the last applied command", "",
                     [parts] { return static_cast<double>(raw(parts->committer->applied())); });
  metrics.gauge_from("cairn_metaserver_log_batches", "Batches written to the log since the start, one sync each", "",
                     [parts] { return static_cast<double>(parts->committer->batches()); });
  metrics.gauge_from("cairn_metaserver_log_bytes", "Bytes of the log's segments", "",
                     [parts] { return static_cast<double>(parts->log->bytes()); });
  metrics.gauge_from("cairn_metaserver_sessions", "Open sessions", "",
                     [parts] { return static_cast<double>(parts->sessions->list().size()); });
  metrics.gauge_from("cairn_metaserver_leases", "Leases of inodes that mounts hold", "",
                     [parts] { return static_cast<double>(parts->leases->count()); });
  metrics.gauge_from("cairn_metaserver_connections", "Open connections", "",
                     [parts] { return static_cast<double>(parts->server->connections()); });
  metrics.gauge_from("cairn_metaserver_request_bytes", "Memory of large requests that are being handled", "",
                     [parts] { return static_cast<double>(parts->server->request_bytes()); });
  metrics.gauge_from("cairn_metaserver_reply_bytes", "Memory of large replies on their way", "",
                     [parts] { return static_cast<double>(parts->server->reply_bytes()); });
  for (const Health health : {Health::unknown, Health::up, Health::suspect, Health::down, Health::draining}) {
    metrics.gauge_from("cairn_chunkservers", "Chunkservers by health",
                       "health=\"" + std::string(name_of(health)) + "\"", [parts, health] {
                         double count = 0;
                         for (const auto& [server, now] : parts->cluster->health()) count += now == health ? 1 : 0;
                         return count;
                       });
  }
  const auto swept = [&](const char* name, const char* help, auto member) {
    metrics.gauge_from(name, help, "", [parts, member] { return static_cast<double>(parts->sweep->counts().*member); });
  };
  using Swept = ShardSweep::Counts;
  swept("cairn_sweep_passes", "Whole comparisons of the chunkservers' shards with the metadata", &Swept::passes);
  swept("cairn_sweep_removed_shards", "Shards of removed chunks that had come back and were removed", &Swept::removed);
  swept("cairn_sweep_misplaced_shards", "Shards that were found where no row names them", &Swept::misplaced);
  swept("cairn_sweep_foreign_shards", "Shards of chunks that this metadata has never given", &Swept::foreign);
  swept("cairn_lost_shards", "Shards of sealed chunks that their servers do not have", &Swept::lost);
  const auto repair = [&](const char* name, const char* help, auto member) {
    metrics.gauge_from(name, help, "",
                       [parts, member] { return static_cast<double>(parts->repairer->status().*member); });
  };
  repair("cairn_repair_waiting_shards", "Shards that wait to be made again or moved", &RepairStatus::shards_waiting);
  repair("cairn_repair_shards_under_way", "Shards that are being made again or moved", &RepairStatus::shards_under_way);
  repair("cairn_repair_bytes_left", "Live bytes of both", &RepairStatus::bytes_left);
  repair("cairn_repair_bytes_per_second", "Rate of repair over the last seconds", &RepairStatus::bytes_per_second);
  // Not a number (NaN) where it cannot be told: an alert on > 0 must not be silenced by a failure.
  const auto from_status = [parts](const auto& member) {
    const auto status = parts->status->status(false);
    return status.ok() ? static_cast<double>((*status).*member) : std::numeric_limits<double>::quiet_NaN();
  };
  metrics.gauge_from("cairn_missing_shards", "Shards of chunks with data on servers that are not up", "",
                     [from_status] { return from_status(&ClusterStatus::missing_shards); });
  metrics.gauge_from("cairn_unreadable_chunks", "Chunks with data and too few shards on servers that are up", "",
                     [from_status] { return from_status(&ClusterStatus::unreadable_chunks); });
  metrics.gauge_from("cairn_survivable_losses",
                     "Servers that may be lost next without losing data; -1: some data is unreadable now", "",
                     [from_status] { return from_status(&ClusterStatus::survivable_losses); });
  metrics.gauge_from("cairn_live_bytes", "Bytes of data that files refer to", "",
                     [from_status] { return from_status(&ClusterStatus::live_bytes); });
  metrics.gauge_from("cairn_inodes", "Inodes, orphans included", "",
                     [from_status] { return from_status(&ClusterStatus::inodes); });
}

}  // namespace cairn
