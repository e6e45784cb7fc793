// cairn status: is everything safe, and what to do if not.
#include <fmt/format.h>

#include <memory>

#include "common/base/config.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/status_json.h"
#include "tools/cairn/text_table.h"
#include "tools/cairn/verdict.h"

namespace cairn::tools {
namespace {

std::string silence(const ServerInfo& server) {
  return server.silent_ms < 0 ? "never heard" : human_milliseconds(server.silent_ms) + " ago";
}

void print_servers(const ClusterStatus& status) {
  std::vector<std::vector<std::string>> rows = {{">server", "address", "host", "health", ">free", ">of", "heard"}};
  for (const ServerInfo& server : status.servers) {
    rows.push_back({std::to_string(raw(server.server)), server.address.text(), server.labels.host,
                    name_of(server.health), human_bytes(server.free_bytes), human_bytes(server.total_bytes),
                    silence(server)});
  }
  fmt::print("{}", text_table(std::move(rows)));
}

void print_sessions(const ClusterStatus& status) {
  std::vector<std::vector<std::string>> rows = {{">session", "name", "host", ">pid", ">open chunks", "renewed for"}};
  for (const SessionStatus& session : status.sessions) {
    if (!session.mount) continue;
    rows.push_back({std::to_string(raw(session.session)), session.name, session.host, std::to_string(session.pid),
                    std::to_string(session.open_chunks), human_milliseconds(session.expires_in_ms)});
  }
  if (rows.size() > 1) fmt::print("\n{}", text_table(std::move(rows)));
}

void print_repair(const RepairStatus& repair) {
  if (repair.shards_waiting + repair.shards_under_way > 0) {
    fmt::print("  repair: {} under way, {} waiting, {} left", counted(repair.shards_under_way, "shard"),
               repair.shards_waiting, human_bytes(repair.bytes_left));
    if (repair.bytes_per_second > 0) fmt::print(", {}/s", human_bytes(repair.bytes_per_second));
    if (repair.eta_seconds >= 0) fmt::print(", about {}", human_milliseconds(repair.eta_seconds * 1000));
    fmt::print("\n");
  }
  if (!repair.waiting_why.empty()) fmt::print("  repair waits: {}\n", repair.waiting_why);
  for (const ServerLoad& load : repair.draining) {
    if (load.shards == 0) {
      fmt::print("  node {} is drained: stop it, and then: cairn node remove {}\n", raw(load.server), raw(load.server));
    } else {
      fmt::print("  node {} is draining: {} of data, {} left\n", raw(load.server), counted(load.shards, "shard"),
                 human_bytes(load.bytes));
    }
  }
}

void print_status(const ClusterStatus& status, const Address& metaserver) {
  const Verdict verdict = verdict_of(status);
  fmt::print("{}: {}\n", name_of(verdict.condition), verdict.what);
  if (!verdict.advice.empty()) fmt::print("  next: {}\n", verdict.advice);
  for (const std::string& trouble : status.troubles) fmt::print("  trouble: {}\n", trouble);
  fmt::print("\n  metaserver {}, up {}\n", metaserver.text(), human_milliseconds(status.uptime_ms));
  fmt::print("  {} of data, {}, {} ({} open, {} shortened, {} waiting to be deleted), {} missing\n",
             human_bytes(status.live_bytes), counted(status.inodes, "inode"), counted(status.chunks, "chunk"),
             status.open_chunks, status.shortened_chunks, status.garbage_chunks,
             counted(status.missing_shards, "shard"));
  for (const StorageClass& one : status.classes) {
    fmt::print("  class {}: {}, cells of {}, one shard per {}\n",
               one.name.empty() ? std::to_string(raw(one.id)) : one.name, format_code(one.policy),
               format_size(one.cell_bytes), one.failure_domain);
  }
  print_repair(status.repair);
  fmt::print("\n");
  print_servers(status);
  print_sessions(status);
}

int run(const std::string& path, const std::string& flag, bool json) {
  const Result<Address> address = find_metaserver(flag, path);
  if (!address.ok()) return fail("status", address.error());
  const auto client = connect_metaserver(*address);
  if (!client.ok()) return fail("status", client.error());
  const Result<ClusterStatus> status = (*client)->status();
  if (!status.ok()) return fail("status", status.error());
  if (json) {
    fmt::print("{}\n", to_json(*status, *address).dump(2));
  } else {
    print_status(*status, *address);
  }
  return kOk;
}

}  // namespace

void add_status(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::string path, metaserver;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("status", "Whether everything is safe, and what to do if not");
  command->footer(
      "The first line is the verdict: healthy, degraded (everything can be read, less protection) or unavailable.\n"
      "Examples:\n  cairn status                  of the only cluster mounted here\n  cairn status /mnt/cairn\n"
      "  cairn status -m 10.0.0.1:7000 --json | jq .missing_shards");
  command->add_option("PATH", arguments->path, "A path under the mount of the cluster");
  command->add_option("-m,--metaserver", arguments->metaserver, "HOST:PORT; needs no mount");
  command->add_flag("--json", arguments->json, "For programs");
  command->callback(
      [arguments, &exit_code] { exit_code = run(arguments->path, arguments->metaserver, arguments->json); });
}

}  // namespace cairn::tools
