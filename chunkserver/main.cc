// cairn-chunkserver: one Chunkserver for each data directory, until a signal; then a clean end.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "chunkserver/chunkserver.h"
#include "chunkserver/worker_process.h"
#include "common/base/config.h"
#include "common/base/daemon.h"
#include "common/base/http_server.h"
#include "common/base/metrics.h"
#include "common/base/random.h"
#include "common/probes/kill_point.h"
#include "common/probes/rare_path.h"

namespace cairn {
namespace {

constexpr const char* kVersion = "cairn-chunkserver 0.1.0";

struct Flags {
  std::vector<std::string> data;
  std::string listen = "127.0.0.1:4100";
  std::string metaserver;
  std::string advertise;
  std::string site, rack, host;
  std::string disk;
  std::string port_file;
  std::string reserve = "64M";
  uint32_t open_files = 512;
  uint32_t connections = RpcServer::Limits{}.connections;
  uint32_t check_rate = StartupCheck::Options{}.reads_per_second;
  std::string log_level = "info";
  int http = -1;
  uint32_t task_slots = std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
};

void describe(CLI::App& app, Flags& flags) {
  app.description(
      "A chunkserver of a CairnFS cluster: stores shards of files in data directories and serves them to clients.\n"
      "Example: cairn-chunkserver --data /disk1/cairn,/disk2/cairn --listen 10.0.0.2:4100 --metaserver 10.0.0.1:4000");
  app.footer(
      "Each data directory is a server of its own in `cairn status`, with a port of its own: the one of --listen for "
      "the first, the\n"
      "next ones for the others. A directory belongs to one cluster for ever; its identity is in DIR/identity.toml.");
  app.set_config("--config", "",
                 "TOML file with the same names as the flags, like: metaserver = \"10.0.0.1:4000\". Flags win.");
  app.set_version_flag("--version", kVersion);
  app.add_option("--data", flags.data, "Data directories, one for each disk: DIR[,DIR...]")->required()->delimiter(',');
  app.add_option("--listen", flags.listen, "HOST:PORT of the first directory; port 0 takes free ones")
      ->capture_default_str();
  app.add_option("--metaserver", flags.metaserver, "HOST:PORT of the metaserver that these directories belong to")
      ->required();
  app.add_option(
      "--advertise", flags.advertise,
      "HOST:PORT that clients are told for the first directory; port 0: as listened on. Default: as --listen");
  app.add_option("--site", flags.site, "Label: data centre, for placement");
  app.add_option("--rack", flags.rack, "Label: rack, for placement");
  app.add_option("--host", flags.host, "Label: host, for placement. Default: this machine's name");
  app.add_option("--disk", flags.disk,
                 "Label: prefix of the disks' names, which are PREFIX0, PREFIX1, ... Default: none");
  app.add_option("--port-file", flags.port_file, "File that gets a line HOST:PORT for each directory once all listen");
  app.add_option("--reserve", flags.reserve, "Free space of each disk that is left alone, if that is more than 1 %")
      ->capture_default_str();
  app.add_option("--open-files", flags.open_files, "Shard files of each directory that are kept open")
      ->check(CLI::Range(16, 65536))
      ->capture_default_str();
  app.add_option("--connections", flags.connections, "Connections of each directory at once; each has a thread")
      ->check(CLI::Range(16, 65536))
      ->capture_default_str();
  app.add_option("--check-rate", flags.check_rate,
                 "Record headers a second that the check after a start reads; 0: no check")
      ->capture_default_str();
  app.add_option(
         "--task-slots", flags.task_slots,
         "Tasks of near-data jobs that run at once beside each directory, in a cairn-worker of its own; 0: none. "
         "Default: a core each, up to 4")
      ->check(CLI::Range(0, 256));
  app.add_option("--http", flags.http, "Port of /metrics and /healthz, on the host of --listen; 0 takes a free one")
      ->check(CLI::Range(0, 65535));
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")->capture_default_str();
}

std::string machine_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, HOST_NAME_MAX) != 0 || name[0] == '\0') return "localhost";
  return name;
}

bool any_address(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

// The port of the index-th directory: 0 stays 0.
Result<uint16_t> port_of(uint16_t first, size_t index) {
  if (first == 0) return uint16_t{0};
  if (first + index > UINT16_MAX)
    return Error{Errc::invalid, fmt::format("no port left for directory {} from {} on", index, first)};
  return static_cast<uint16_t>(first + index);
}

// The options of each data directory.
Result<std::vector<ChunkserverOptions>> options_of(const Flags& flags) {
  ASSIGN(Address listen, parse_address(flags.listen));
  ASSIGN(Address metaserver, parse_address(flags.metaserver));
  ASSIGN(uint64_t reserve, parse_size(flags.reserve));
  Address advertise = listen;
  if (!flags.advertise.empty()) {
    ASSIGN(advertise, parse_address(flags.advertise));
  } else if (any_address(listen.host)) {
    advertise.host = machine_name();
  }
  std::set<std::string> seen;
  std::vector<ChunkserverOptions> all;
  for (const std::string& directory : flags.data) {
    if (directory.empty() || !seen.insert(directory).second) {
      return Error{Errc::invalid, "--data: '" + directory + "' is empty or named twice"};
    }
    size_t index = all.size();
    ChunkserverOptions options;
    options.data = directory;
    options.listen.host = listen.host;
    ASSIGN(options.listen.port, port_of(listen.port, index));
    options.advertise = Address{advertise.host, 0};
    ASSIGN(options.advertise->port, port_of(advertise.port, index));
    options.metaserver = metaserver;
    options.labels = {flags.site, flags.rack, flags.host.empty() ? machine_name() : flags.host,
                      flags.disk + std::to_string(index)};
    options.store.open_files = flags.open_files;
    options.store.reserve.bytes = reserve;
    options.check.reads_per_second = flags.check_rate;
    options.buffer_bytes /= flags.data.size();
    options.metric_labels = fmt::format("data=\"{}\"", escape_label(directory));
    all.push_back(std::move(options));
  }
  return all;
}

// The worker beside a directory; nothing if none is wanted, or the program is not there: bytes are served without it.
std::unique_ptr<WorkerProcess> worker_of(const Flags& flags, const std::string& directory, Chunkserver& server) {
  if (flags.task_slots == 0) return nullptr;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "cairn-worker";
  if (error || ::access(program.c_str(), X_OK) != 0) {
    spdlog::warn("{} is not there: no tasks run beside {}", program.string(), directory);
    return nullptr;
  }
  WorkerProcess::Options options;
  options.words = {program.string(),
                   "--data",
                   directory,
                   "--metaserver",
                   flags.metaserver,
                   "--slots",
                   std::to_string(flags.task_slots),
                   "--listen",
                   Address{server.address().host, 0}.text(),
                   "--advertise-host",
                   server.advertised().host,
                   "--parent",
                   std::to_string(::getpid()),
                   "--log-level",
                   flags.log_level};
  options.ready = [&server](Instant deadline) { return server.wait_until_registered(deadline); };
  return std::make_unique<WorkerProcess>(real_clock(), std::move(options));
}

Status serve(const Flags& flags) {
  ASSIGN(std::vector<ChunkserverOptions> options, options_of(flags));
  TRY(arm_kill_point_from_environment());
  const sigset_t ends = block_end_signals();
  ASSIGN(const uint32_t connections,
         plan_descriptors({.servers = static_cast<uint32_t>(options.size()),
                           .files_each = flags.open_files,
                           .for_each_connection = 2,  // one reads a file that is kept no more
                           .connections_wanted = flags.connections}));
  for (ChunkserverOptions& one : options) one.rpc.connections = connections;
  std::vector<DirectoryLock> locks;
  std::vector<DataDisk> disks;
  for (const ChunkserverOptions& one : options) {
    ASSIGN(DirectoryLock lock, DirectoryLock::take(one.data, "cairn-chunkserver"));
    locks.push_back(std::move(lock));
    ASSIGN(DataDisk disk, DataDisk::open(one.data));
    disks.push_back(std::move(disk));
  }
  Metrics metrics;
  add_rare_paths(metrics);
  std::vector<std::unique_ptr<Chunkserver>> servers;
  std::vector<Address> addresses;
  for (ChunkserverOptions& one : options) {
    one.metrics = &metrics;
    Disk& disk = *disks[servers.size()];
    servers.push_back(std::make_unique<Chunkserver>(real_network(), real_clock(), disk, std::move(one), random_seed()));
    TRY(servers.back()->start());
    addresses.push_back(servers.back()->address());
    spdlog::info("listening on {}, advertised as {}", addresses.back().text(), servers.back()->advertised().text());
  }
  auto ailment = [&servers] {
    std::string all;
    for (const auto& server : servers) {
      std::string one = server->ailment();
      if (!one.empty()) all += one + "\n";
    }
    return all;
  };
  HttpServer http(real_network(), real_clock(), standard_pages(metrics, ailment));
  if (flags.http >= 0) {
    TRY(http.start({addresses.front().host, static_cast<uint16_t>(flags.http)}));
    spdlog::info("metrics on http://{}/metrics", http.address().text());
  }
  std::vector<std::unique_ptr<WorkerProcess>> workers;
  for (size_t i = 0; i < servers.size(); ++i) {
    workers.push_back(worker_of(flags, flags.data[i], *servers[i]));
    if (workers.back() != nullptr) TRY(workers.back()->start());
  }
  if (!flags.port_file.empty()) TRY(write_port_file(flags.port_file, addresses));

  wait_for_end(ends);
  workers.clear();
  http.stop();
  Status first;
  for (const auto& server : servers) {
    Status stopped = server->stop();
    if (!stopped.ok()) spdlog::error("{}", stopped.error().what);
    if (first.ok()) first = stopped;
  }
  return first;
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  cairn::Flags flags;
  CLI::App app;
  cairn::describe(app, flags);
  CLI11_PARSE(app, argc, argv);
  return cairn::run_server("cairn-chunkserver", flags.log_level, [&] { return cairn::serve(flags); });
}
