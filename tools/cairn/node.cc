// cairn node: the chunkservers of a cluster, and what an administrator decides about them: drain, activate, remove.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/status_json.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  uint32_t node = 0;
  std::string path, metaserver;
  bool json = false, dry_run = false, force = false;
};

Result<std::unique_ptr<MetaClient>> connect(const Arguments& arguments) {
  ASSIGN(const Address address, find_metaserver(arguments.metaserver, arguments.path));
  return connect_metaserver(address);
}

const ServerLoad* load_of(const ClusterStatus& status, ServerId server) {
  const auto& all = status.repair.draining;
  const auto found = std::ranges::find(all, server, &ServerLoad::server);
  return found == all.end() ? nullptr : &*found;
}

// In words: active, or how far a draining one is.
std::string state_of(const ClusterStatus& status, const ServerInfo& server) {
  const ServerLoad* load = load_of(status, server.server);
  if (server.state != ServerState::draining || load == nullptr) return name_of(server.state);
  if (load->shards == 0) return "drained";
  return fmt::format("draining: {}, {} left", counted(load->shards, "shard"), human_bytes(load->bytes));
}

Json json_of(const ClusterStatus& status, const ServerInfo& server) {
  Json out = to_json(server);
  const ServerLoad* load = load_of(status, server.server);
  out["shards_left"] = load == nullptr ? Json(nullptr) : Json(load->shards);
  out["bytes_left"] = load == nullptr ? Json(nullptr) : Json(load->bytes);
  return out;
}

int list(const Arguments& arguments) {
  const auto client = connect(arguments);
  if (!client.ok()) return fail("node list", client.error());
  const Result<ClusterStatus> status = (*client)->status();
  if (!status.ok()) return fail("node list", status.error());
  if (arguments.json) {
    Json rows = Json::array();
    for (const ServerInfo& server : status->servers) rows.push_back(json_of(*status, server));
    fmt::print("{}\n", Json{{"nodes", rows}}.dump(2));
    return kOk;
  }
  std::vector<std::vector<std::string>> rows = {
      {">node", "address", "site", "rack", "host", "disk", "health", "state", ">free", ">of"}};
  for (const ServerInfo& server : status->servers) {
    rows.push_back({std::to_string(raw(server.server)), server.address.text(), server.labels.site, server.labels.rack,
                    server.labels.host, server.labels.disk, name_of(server.health), state_of(*status, server),
                    human_bytes(server.free_bytes), human_bytes(server.total_bytes)});
  }
  fmt::print("{}", text_table(std::move(rows)));
  return kOk;
}

int show(const Arguments& arguments) {
  const auto client = connect(arguments);
  if (!client.ok()) return fail("node show", client.error());
  const Result<ClusterStatus> status = (*client)->status();
  if (!status.ok()) return fail("node show", status.error());
  const auto server = std::ranges::find(status->servers, ServerId{arguments.node}, &ServerInfo::server);
  if (server == status->servers.end())
    return fail("node show", {Errc::not_found, fmt::format("there is no node {}", arguments.node)});
  const Result<ServerChange> load =
      (*client)->change_server({.server = server->server, .state = ServerState::draining, .dry_run = true});
  if (!load.ok()) return fail("node show", load.error());
  if (arguments.json) {
    Json out = json_of(*status, *server);
    out["shards"] = load->load.shards;
    out["bytes"] = load->load.bytes;
    fmt::print("{}\n", out.dump(2));
    return kOk;
  }
  fmt::print("node {} at {}: {}, {}\n", raw(server->server), server->address.text(), name_of(server->health),
             state_of(*status, *server));
  fmt::print("  site '{}', rack '{}', host '{}', disk '{}'\n", server->labels.site, server->labels.rack,
             server->labels.host, server->labels.disk);
  fmt::print("  {} of {} free; {} of data, {}\n", human_bytes(server->free_bytes), human_bytes(server->total_bytes),
             counted(load->load.shards, "shard"), human_bytes(load->load.bytes));
  return kOk;
}

std::string time_for(const ServerChange& change) {
  if (change.load.bytes == 0) return "nothing to move";
  if (change.bytes_per_second == 0) return "how long that takes cannot be told before it has begun";
  return fmt::format("about {} at {}/s",
                     human_milliseconds(static_cast<int64_t>(change.load.bytes * 1000 / change.bytes_per_second)),
                     human_bytes(change.bytes_per_second));
}

void print_change(const Arguments& arguments, ServerState state, const ServerChange& change) {
  const char* done = arguments.dry_run ? "would be" : "is";
  fmt::print("node {} {} {}\n", arguments.node, done, name_of(state));
  if (state == ServerState::active) return;
  fmt::print("  {} of data {}: {}\n", counted(change.load.shards, "shard"),
             state == ServerState::draining ? "to move" : "lost here", human_bytes(change.load.bytes));
  if (state == ServerState::draining) fmt::print("  time: {}\n", time_for(change));
  fmt::print("  room on the others: {}\n", human_bytes(change.free_elsewhere));
  fmt::print("  risk: {}\n", change.at_risk == 0
                                 ? "every chunk could still lose another shard without it"
                                 : fmt::format("{} could lose no further shard without it, or cannot be read",
                                               counted(change.at_risk, "chunk")));
}

int change(const Arguments& arguments, const std::string& name, ServerState state) {
  const auto client = connect(arguments);
  if (!client.ok()) return fail("node " + name, client.error());
  const Result<ServerChange> change = (*client)->change_server(
      {.server = ServerId{arguments.node}, .state = state, .force = arguments.force, .dry_run = arguments.dry_run});
  if (!change.ok()) return fail("node " + name, change.error());
  if (!arguments.json) {
    print_change(arguments, state, *change);
    return kOk;
  }
  fmt::print("{}\n", Json{{"node", arguments.node},
                          {"state", name_of(state)},
                          {"changed", change->changed},
                          {"shards", change->load.shards},
                          {"bytes", change->load.bytes},
                          {"at_risk", change->at_risk},
                          {"free_elsewhere", change->free_elsewhere},
                          {"bytes_per_second", change->bytes_per_second}}
                         .dump(2));
  return kOk;
}

CLI::App* add(CLI::App& group, const std::shared_ptr<Arguments>& arguments, const std::string& name,
              const std::string& what, bool with_node) {
  CLI::App* command = group.add_subcommand(name, what);
  if (with_node) command->add_option("NODE", arguments->node, "Its number in cairn node list")->required();
  command->add_option("PATH", arguments->path, "A path under the mount of the cluster");
  command->add_option("-m,--metaserver", arguments->metaserver, "HOST:PORT; needs no mount");
  command->add_flag("--json", arguments->json, "For programs");
  return command;
}

}  // namespace

void add_node(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("node", "The chunkservers: which there are, and taking one out of service");
  group->require_subcommand(1);
  group->footer(
      "To take a server out of service: drain it, wait until cairn node list says drained, stop it, remove it.\n"
      "A server that is lost is repaired by itself once it has been silent for --down-after of the metaserver; remove\n"
      "it then. One that was removed comes back only with an empty data directory, as another node.\n"
      "Examples:\n  cairn node list\n  cairn node drain 3 --dry-run      what it would move, and the risk\n"
      "  cairn node drain 3\n  cairn node activate 3              no, use it again\n  cairn node remove 3");
  auto arguments = std::make_shared<Arguments>();
  add(*group, arguments, "list", "All, with their health and state", false)->callback([arguments, &exit_code] {
    exit_code = list(*arguments);
  });
  add(*group, arguments, "show", "One, with what it holds", true)->callback([arguments, &exit_code] {
    exit_code = show(*arguments);
  });
  CLI::App* drain = add(*group, arguments, "drain", "It gets nothing new, and what it holds moves to others", true);
  drain->add_flag("--dry-run", arguments->dry_run, "Only say what would move, and what the risk is");
  drain->callback([arguments, &exit_code] { exit_code = change(*arguments, "drain", ServerState::draining); });
  CLI::App* activate = add(*group, arguments, "activate", "It is used again: the end of a drain", true);
  activate->alias("undrain");
  activate->callback([arguments, &exit_code] { exit_code = change(*arguments, "activate", ServerState::active); });
  CLI::App* remove = add(*group, arguments, "remove", "It does not belong to the cluster any more, for good", true);
  remove->add_flag("--dry-run", arguments->dry_run, "Only say what would be lost");
  remove->add_flag("--force", arguments->force,
                   "Although it has shards that no other server has yet: they count as lost at once");
  remove->callback([arguments, &exit_code] { exit_code = change(*arguments, "remove", ServerState::removed); });
}

}  // namespace cairn::tools
