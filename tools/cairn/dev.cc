// cairn dev: a cluster on this machine, to try things and to break them.
#include <fmt/format.h>

#include <memory>

#include "tools/cairn/command_line.h"
#include "tools/cairn/dev_cluster.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/status_json.h"
#include "tools/cairn/text_table.h"
#include "tools/cairn/verdict.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string directory = default_dev_directory();
  DevCluster::Wishes wishes;
  bool no_mount = false;
  std::vector<std::string> who;
  bool purge = false;
  bool json = false;
};

Json status_json(const DevCluster& cluster, const Result<ClusterStatus>& status) {
  Json out = {{"dir", cluster.directory()},
              {"metaserver", cluster.state().metaserver_address().text()},
              {"mount", cluster.state().mountpoint},
              {"policy", cluster.state().policy}};
  out["processes"] = Json::array();
  for (const DevProcessStatus& one : cluster.processes()) {
    out["processes"].push_back(
        {{"who", one.who.text()}, {"running", one.running}, {"pid", one.pid}, {"address", one.address}});
  }
  out["cluster"] = status.ok() ? to_json(*status, cluster.state().metaserver_address()) : Json(nullptr);
  if (!status.ok()) out["error"] = status.error().what;
  return out;
}

int show(const DevCluster& cluster, bool json) {
  const Result<ClusterStatus> status = cluster.cluster_status();
  if (json) {
    fmt::print("{}\n", status_json(cluster, status).dump(2));
    return kOk;
  }
  std::vector<std::string> stopped;
  for (const DevProcessStatus& one : cluster.processes()) {
    if (!one.running) stopped.push_back(one.who.text());
  }
  if (status.ok()) {
    Verdict verdict = verdict_of(*status);
    if (verdict.condition == Condition::healthy &&
        !stopped.empty()) {  // the metaserver notices after some seconds of silence
      verdict = {Condition::degraded, fmt::format("not everything runs: {}", fmt::join(stopped, ", ")),
                 "cairn dev start WHO"};
    }
    fmt::print("{}: {}\n", name_of(verdict.condition), verdict.what);
    if (!verdict.advice.empty()) fmt::print("  next: {}\n", verdict.advice);
  } else {
    fmt::print("stopped: the metaserver does not answer\n  next: cairn dev up --dir {}\n", cluster.directory());
  }
  std::vector<std::vector<std::string>> rows = {{"who", "state", ">pid", "address"}};
  for (const DevProcessStatus& one : cluster.processes()) {
    rows.push_back(
        {one.who.text(), one.running ? "running" : "stopped", one.running ? std::to_string(one.pid) : "", one.address});
  }
  fmt::print("\n{}\n  data and logs: {}\n", text_table(std::move(rows)), cluster.directory());
  return kOk;
}

int run_up(const Arguments& arguments) {
  DevCluster::Wishes wishes = arguments.wishes;
  wishes.mount = !arguments.no_mount;
  if (!wishes.mountpoint.empty()) wishes.mountpoint = absolute_path(wishes.mountpoint);
  Result<DevCluster> cluster = DevCluster::create_or_open(arguments.directory, wishes);
  if (!cluster.ok()) return fail("dev up", cluster.error());
  if (const Status up = cluster->up(); !up.ok()) return fail("dev up", up.error());
  return show(*cluster, arguments.json);
}

int run_status(const Arguments& arguments) {
  const Result<DevCluster> cluster = DevCluster::look(arguments.directory);
  if (!cluster.ok()) return fail("dev status", cluster.error());
  return show(*cluster, arguments.json);
}

// kill or start, each WHO in turn; all are understood before the first is touched.
int for_each_who(const std::string& subcommand, const Arguments& arguments, Status (DevCluster::*act)(const Who&),
                 const std::string& done) {
  Result<DevCluster> cluster = DevCluster::open(arguments.directory);
  if (!cluster.ok()) return fail(subcommand, cluster.error());
  std::vector<Who> all;
  for (const std::string& text : arguments.who) {
    const Result<Who> who = cluster->parse_who(text);
    if (!who.ok()) return fail(subcommand, who.error());
    all.push_back(*who);
  }
  Json list = Json::array();
  for (const Who& who : all) {
    if (const Status status = ((*cluster).*act)(who); !status.ok()) return fail(subcommand, status.error());
    if (!arguments.json) fmt::print("{} {}\n", who.text(), done);
    list.push_back(who.text());
  }
  if (arguments.json) fmt::print("{}\n", Json{{done, list}}.dump(2));
  return kOk;
}

int run_down(const Arguments& arguments) {
  Result<DevCluster> cluster = DevCluster::open(arguments.directory);
  if (!cluster.ok()) return fail("dev down", cluster.error());
  const Status down = cluster->down(arguments.purge ? Flushing::attempted : Flushing::required);
  if (!down.ok()) return fail("dev down", down.error());
  if (arguments.purge) {
    if (const Status purged = cluster->purge(); !purged.ok()) return fail("dev down", purged.error());
  }
  if (arguments.json) {
    fmt::print("{}\n", Json{{"dir", arguments.directory}, {"purged", arguments.purge}}.dump(2));
  } else {
    fmt::print("{}\n", arguments.purge ? "stopped, and its data removed"
                                       : fmt::format("stopped; its data stays in {}", arguments.directory));
  }
  return kOk;
}

CLI::App* add(CLI::App& dev, const std::shared_ptr<Arguments>& arguments, const std::string& name,
              const std::string& what) {
  CLI::App* command = dev.add_subcommand(name, what);
  command->add_option("--dir", arguments->directory, "Where the cluster lives")->capture_default_str();
  command->add_flag("--json", arguments->json, "For programs");
  command->parse_complete_callback([arguments] { arguments->directory = absolute_path(arguments->directory); });
  return command;
}

void add_up(CLI::App& dev, const std::shared_ptr<Arguments>& arguments, int& exit_code) {
  CLI::App* up = add(dev, arguments, "up", "Starts the cluster, or what does not run of it, and mounts it");
  up->footer(
      "Examples:\n  cairn dev up\n  cairn dev up --dir /tmp/three --chunkservers 3 --policy 'ec(2,1)' --mount "
      "/mnt/three");
  up->add_option("--mount", arguments->wishes.mountpoint, "The mount point (default: DIR/mnt)");
  up->add_option("--chunkservers", arguments->wishes.chunkservers, "How many (default: 6); more may be added later")
      ->check(CLI::Range(1, 64));
  up->add_option("--policy", arguments->wishes.policy, "ec(k,m) (default: ec(4,2))");
  up->add_option("--cell", arguments->wishes.cell, "Cell size, as 64K (default: the metaserver's)");
  up->add_option("--quarantine", arguments->wishes.quarantine, "How long dead data is kept (default: 10s)");
  up->add_option("--down-after", arguments->wishes.down_after,
                 "Silence after which a chunkserver's shards are made again elsewhere (default: 10m)");
  up->add_flag("--no-mount", arguments->no_mount, "Servers only");
  up->callback([arguments, &exit_code] { exit_code = run_up(*arguments); });
}

}  // namespace

void add_dev(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* dev = app.add_subcommand("dev", "A cluster on this machine, to try things and to break them");
  dev->require_subcommand(1);
  dev->footer(
      "WHO is a chunkserver's number, metaserver, or mount.\n"
      "Example: lose two servers, read everything, get them back\n"
      "  cairn dev up\n  cairn dev kill 2 5\n  cairn dev status\n  cairn dev start 2 5\n  cairn dev down");
  add_up(*dev, arguments, exit_code);
  add(*dev, arguments, "status", "What runs, and how the data is")->callback([arguments, &exit_code] {
    exit_code = run_status(*arguments);
  });
  CLI::App* kill = add(*dev, arguments, "kill", "Kills processes at once (SIGKILL), as a power cut would");
  kill->add_option("WHO", arguments->who, "1..n, metaserver or mount")->required();
  kill->callback(
      [arguments, &exit_code] { exit_code = for_each_who("dev kill", *arguments, &DevCluster::kill, "killed"); });
  CLI::App* start = add(*dev, arguments, "start", "Starts processes again, and waits until they serve");
  start->add_option("WHO", arguments->who, "1..n, metaserver or mount")->required();
  start->callback(
      [arguments, &exit_code] { exit_code = for_each_who("dev start", *arguments, &DevCluster::start, "started"); });
  CLI::App* down = add(*dev, arguments, "down", "Flushes, unmounts and stops everything; the data stays");
  down->add_flag("--purge", arguments->purge, "Remove the data too");
  down->callback([arguments, &exit_code] { exit_code = run_down(*arguments); });
  add_dev_kill_points(*dev);
}

}  // namespace cairn::tools
