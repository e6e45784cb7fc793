// cairn-metaserver: builds the parts, runs until a signal, ends cleanly.
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <iostream>

#include "common/base/config.h"
#include "common/base/daemon.h"
#include "common/base/http_server.h"
#include "common/base/metrics.h"
#include "common/base/random.h"
#include "common/meta/policy.h"
#include "common/probes/kill_point.h"
#include "common/probes/rare_path.h"
#include "metaserver/log/disk_reserve.h"
#include "metaserver/metaserver.h"
#include "metaserver/store/rocks_store.h"

namespace cairn {
namespace {

constexpr const char* kVersion = "cairn-metaserver 0.1.0";
constexpr uint64_t kStoreFiles = 512;  // twice what RocksDB keeps open, and the log

struct Flags {
  std::string data;
  std::string listen = "127.0.0.1:4000";
  std::string port_file;
  std::string policy = "ec(4,2)";
  std::string cell = "256K";
  std::string failure_domain = "host";
  std::string quarantine = "60s";
  std::string shard_sweep = "10m";
  std::string down_after = "10m";
  uint32_t repair_parallel = MetaserverOptions{}.repair_parallel;
  std::string repair_bandwidth = "0";
  std::string session_ttl = "20s";
  std::string log_segment = "16M";
  std::string flush_every = "30s";
  uint32_t connections = RpcServer::Limits{}.connections;
  std::string log_level = "info";
  int http = -1;
};

void describe(CLI::App& app, Flags& flags) {
  app.description(
      "The metaserver of a CairnFS cluster: names, files, chunks, sessions, and the health of the chunkservers.\n"
      "Example: cairn-metaserver --data /var/lib/cairn/meta --listen 10.0.0.1:4000 --http 4080");
  app.footer(
      "--policy, --cell and --failure-domain count when the database is made. Later, set the xattr cairn.policy of a "
      "directory.");
  app.set_config("--config", "",
                 "TOML file with the same names as the flags, like: data = \"/var/lib/cairn/meta\". Flags win.");
  app.allow_config_extras(CLI::config_extras_mode::error);  // a misspelt name must not be a silent default
  app.set_version_flag("--version", kVersion);
  app.add_option("--data", flags.data, "Directory of the log and the store; a new database is made in an empty one")
      ->required();
  app.add_option("--listen", flags.listen, "HOST:PORT where clients and chunkservers connect; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--port-file", flags.port_file, "File that gets HOST:PORT once the server listens");
  app.add_option("--policy", flags.policy, "Erasure code of the default storage class")->capture_default_str();
  app.add_option("--cell", flags.cell, "Cell size of the default storage class, 4K to 1M")->capture_default_str();
  app.add_option("--failure-domain", flags.failure_domain,
                 "No two shards of a chunk in one of these: site, rack, host or disk")
      ->check(CLI::IsMember({"site", "rack", "host", "disk"}))
      ->capture_default_str();
  app.add_option("--quarantine", flags.quarantine, "Dead data is kept so long before its space is reused")
      ->capture_default_str();
  app.add_option("--shard-sweep", flags.shard_sweep,
                 "How often the chunkservers' shards are compared with the metadata")
      ->capture_default_str();
  app.add_option("--down-after", flags.down_after, "A chunkserver silent for so long is down")->capture_default_str();
  app.add_option("--repair-parallel", flags.repair_parallel, "Shards that are made again or moved at once")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--repair-bandwidth", flags.repair_bandwidth, "Bytes a second of these, like 200M; 0: no bound")
      ->capture_default_str();
  app.add_option("--session-ttl", flags.session_ttl, "A mount silent for so long has ended")
      ->envname("CAIRN_SESSION_TTL")
      ->capture_default_str();
  app.add_option("--log-segment", flags.log_segment, "Size of a file of the log, 4K to 256M")
      ->envname("CAIRN_LOG_SEGMENT")
      ->capture_default_str();
  app.add_option("--flush-every", flags.flush_every, "Time after which the log's changes are in the store for good")
      ->envname("CAIRN_FLUSH_EVERY")
      ->capture_default_str();
  app.add_option("--connections", flags.connections, "Connections at once; each has a thread, and a mount has a few")
      ->check(CLI::Range(16, 65536))
      ->capture_default_str();
  app.add_option("--http", flags.http, "Port of /metrics and /healthz, on the host of --listen; 0 takes a free one")
      ->check(CLI::Range(0, 65535));
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")->capture_default_str();
}

Result<MetaserverOptions> options_of(const Flags& flags) {
  MetaserverOptions options;
  ASSIGN(options.listen, parse_address(flags.listen));
  ASSIGN(options.default_class.policy, parse_code(flags.policy));
  ASSIGN(options.default_class.cell_bytes, parse_cell_bytes(flags.cell));
  options.default_class.failure_domain = flags.failure_domain;
  ASSIGN(options.quarantine, parse_duration(flags.quarantine));
  ASSIGN(options.shard_sweep, parse_duration(flags.shard_sweep));
  if (options.shard_sweep < 1s) return Error{Errc::invalid, "--shard-sweep is at least 1s"};
  ASSIGN(options.health.down_after, parse_duration(flags.down_after));
  options.repair_parallel = flags.repair_parallel;
  ASSIGN(options.repair_bandwidth, parse_size(flags.repair_bandwidth));
  ASSIGN(options.session_ttl, parse_duration(flags.session_ttl));
  if (options.session_ttl < 1s) return Error{Errc::invalid, "--session-ttl is at least 1s"};
  ASSIGN(options.log_segment_bytes, parse_size(flags.log_segment));
  if (options.log_segment_bytes < 4096 || options.log_segment_bytes > 256u << 20)
    return Error{Errc::invalid, "--log-segment is 4K to 256M"};
  ASSIGN(options.flush_interval, parse_duration(flags.flush_every));
  if (options.health.down_after <= options.health.suspect_after)
    return Error{Errc::invalid, "--down-after is more than 3s"};
  options.seed = random_seed();
  return options;
}

Status serve(const Flags& flags) {
  ASSIGN(MetaserverOptions options, options_of(flags));
  TRY(arm_kill_point_from_environment());
  ASSIGN(const DirectoryLock lock, DirectoryLock::take(flags.data, "cairn-metaserver"));
  ASSIGN(const DataDisk disk, DataDisk::open(flags.data));
  const sigset_t ends = block_end_signals();
  ASSIGN(options.rpc.connections,
         plan_descriptors({.files_each = kStoreFiles, .connections_wanted = flags.connections}));

  // A failed log or store wakes the main thread, which ends the process without promising anything more.
  std::atomic<bool> failed = false;
  const pthread_t main_thread = pthread_self();
  options.on_failure = [&failed, main_thread](const Error&) {
    failed = true;
    pthread_kill(main_thread, SIGTERM);
  };
  options.log_directory = flags.data + "/log";
  auto opened = RocksStore::open({.directory = flags.data + "/store"});
  if (!opened.ok() && opened.code() == Errc::no_space &&
      DiskReserve::release_earlier(real_disk(), options.log_directory)) {
    spdlog::warn("{}; it is opened again in the place of the reserve", opened.error().what);
    opened = RocksStore::open({.directory = flags.data + "/store"});
  }
  ASSIGN(const auto store, std::move(opened));
  Metaserver metaserver(real_network(), real_clock(), *disk, *store, options);
  TRY(metaserver.start());
  const StorageClass stored = metaserver.default_class();
  spdlog::info("{} database {:016x}, storage class {} with cells of {} per {}",
               metaserver.created() ? "made" : "opened", raw(metaserver.incarnation()), format_code(stored.policy),
               format_size(stored.cell_bytes), stored.failure_domain);

  Metrics metrics;
  add_rare_paths(metrics);
  metaserver.add_metrics(metrics);
  metrics.gauge_from("cairn_store_memory_bytes", "Memtables and block cache of the store", "",
                     [&] { return static_cast<double>(store->memory_bytes()); });
  metrics.gauge_from("cairn_store_disk_bytes", "Files of the store", "",
                     [&] { return static_cast<double>(store->disk_bytes()); });
  HttpServer http(real_network(), real_clock(),
                  standard_pages(metrics, [&failed] { return failed ? "the log or the store failed" : ""; }));
  if (flags.http >= 0) {
    TRY(http.start({options.listen.host, static_cast<uint16_t>(flags.http)}));
    spdlog::info("metrics on http://{}/metrics", http.address().text());
  }
  if (!flags.port_file.empty()) TRY(write_port_file(flags.port_file, {{metaserver.address()}}));
  spdlog::info("listening on {}", metaserver.address().text());

  wait_for_end(ends);
  if (failed) {
    spdlog::critical(
        "ends now, because changes cannot be made durable; what was acknowledged is on the disk. Mend the disk, then "
        "start again");
    spdlog::shutdown();
    std::_Exit(1);
  }
  http.stop();
  return metaserver.stop();
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  cairn::Flags flags;
  CLI::App app;
  cairn::describe(app, flags);
  CLI11_PARSE(app, argc, argv);
  return cairn::run_server("cairn-metaserver", flags.log_level, [&] { return cairn::serve(flags); });
}
