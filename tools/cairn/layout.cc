// cairn layout: where the bytes of a file lie, and which of their shards are there now.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base/config.h"
#include "common/base/unique_fd.h"
#include "common/meta/policy.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint32_t kExtentsPerCall = 1000;

struct WholeLayout {
  Attributes attributes;
  std::vector<Extent> extents;
  std::map<ChunkId, ChunkInfo> chunks;
  std::map<ServerId, ServerInfo> servers;
  std::optional<std::string> inline_data;
  StorageClass storage_class;
};

// A file under a mount: flushed first, so that what is shown is what was written.
Result<InodeId> inode_under_mount(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (file.valid() && ::fsync(file.get()) != 0)
    return {Errc::io, fmt::format("{} cannot be flushed: {}", path, std::strerror(errno))};
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {Errc::not_found, fmt::format("{}: {}", path, std::strerror(errno))};
  return InodeId{found.st_ino};
}

Result<InodeId> inode_by_name(MetaClient& client, const std::string& path) {
  InodeId inode = kRootInode;
  std::istringstream names(path);
  for (std::string name; std::getline(names, name, '/');) {
    if (name.empty()) continue;
    const Result<Entry> entry = client.lookup(inode, name);
    if (!entry.ok())
      return {entry.code(),
              fmt::format("{}: {}: {}", path, name,
                          entry.code() == Errc::not_found ? "there is no such name" : entry.error().what)};
    inode = entry->attributes.inode;
  }
  return inode;
}

Result<WholeLayout> fetch(MetaClient& client, InodeId inode) {
  WholeLayout out;
  uint64_t from = 0;
  while (true) {
    ASSIGN(Layout part, client.layout(inode, from, kMaxFileBytes - from, kExtentsPerCall));
    out.attributes = part.attributes;
    out.inline_data = std::move(part.inline_data);
    out.extents.insert(out.extents.end(), part.extents.begin(), part.extents.end());
    for (ChunkInfo& chunk : part.chunks) out.chunks[chunk.chunk] = std::move(chunk);
    if (part.covered_until <= from || part.covered_until >= std::min<uint64_t>(part.attributes.size, kMaxFileBytes))
      break;
    from = part.covered_until;
  }
  ASSIGN(ClusterMap map, client.cluster_map());
  for (ServerInfo& server : map.servers) out.servers[server.server] = std::move(server);
  for (StorageClass& one : map.classes) {
    if (one.id == out.attributes.storage_class) out.storage_class = std::move(one);
  }
  return out;
}

bool is_there(const WholeLayout& layout, ServerId server) {
  const auto found = layout.servers.find(server);
  return found != layout.servers.end() && answers(found->second.health);
}

struct ShardCount {
  uint32_t there = 0, all = 0;
};
ShardCount count_shards(const WholeLayout& layout, const ChunkInfo& chunk) {
  ShardCount out;
  for (const ServerId server : chunk.servers) {
    ++out.all;
    out.there += is_there(layout, server);
  }
  return out;
}

std::string state_of(const WholeLayout& layout, const ChunkInfo& chunk) {
  const ShardCount shards = count_shards(layout, chunk);
  if (shards.there == shards.all) return "whole";
  if (shards.there >= chunk.code.d)
    return fmt::format("readable, {} missing", counted(shards.all - shards.there, "shard"));
  return fmt::format("UNREADABLE now: {} of the {} needed", shards.there, chunk.code.d);
}

Json to_json(const WholeLayout& layout, const std::string& path) {
  Json out = {{"path", path},
              {"inode", raw(layout.attributes.inode)},
              {"size", layout.attributes.size},
              {"stored", layout.attributes.stored},
              {"version", layout.attributes.version},
              {"policy", policy_text(layout.storage_class)},
              {"inline_bytes", layout.inline_data ? layout.inline_data->size() : 0}};
  out["extents"] = Json::array();
  for (const Extent& extent : layout.extents) {
    out["extents"].push_back({{"offset", extent.offset},
                              {"length", extent.length},
                              {"chunk", raw(extent.chunk)},
                              {"place", extent.place},
                              {"position", extent.position},
                              {"code", format_code(extent.shape.code)},
                              {"cell_bytes", extent.shape.cell_bytes},
                              {"header_bytes", extent.shape.header_bytes},
                              {"present", extent.shape.present}});
  }
  out["chunks"] = Json::array();
  for (const auto& [id, chunk] : layout.chunks) {
    const ShardCount shards = count_shards(layout, chunk);
    Json row = {{"chunk", raw(id)},
                {"code", format_code(chunk.code)},
                {"sealed", chunk.sealed},
                {"committed", chunk.committed},
                {"live_bytes", chunk.live_bytes},
                {"missing_shards", shards.all - shards.there},
                {"readable", shards.there >= chunk.code.d}};
    row["shards"] = Json::array();
    for (uint32_t shard = 0; shard < chunk.servers.size(); ++shard) {
      const auto found = layout.servers.find(chunk.servers[shard]);
      const bool known = found != layout.servers.end();
      row["shards"].push_back({{"shard", shard},
                               {"kind", shard < chunk.code.d ? "data" : "parity"},
                               {"server", raw(chunk.servers[shard])},
                               {"address", known ? found->second.address.text() : ""},
                               {"host", known ? found->second.labels.host : ""},
                               {"health", known ? name_of(found->second.health) : "unknown"}});
    }
    out["chunks"].push_back(std::move(row));
  }
  return out;
}

// "1 2 3! 4 | 5 6": servers of the data shards and of the parity shards; "!" does not answer.
std::string servers_of(const WholeLayout& layout, const ChunkInfo& chunk) {
  std::string out;
  for (uint32_t shard = 0; shard < chunk.servers.size(); ++shard) {
    if (shard == chunk.code.d) out += "| ";
    out += fmt::format("{}{} ", raw(chunk.servers[shard]), is_there(layout, chunk.servers[shard]) ? "" : "!");
  }
  return out;
}

void print(const WholeLayout& layout, const std::string& path) {
  const Attributes& attributes = layout.attributes;
  fmt::print("{}: {} in {}, policy {}, inode {}, version {}\n", path, human_bytes(attributes.size),
             counted(layout.extents.size(), "extent"), policy_text(layout.storage_class), raw(attributes.inode),
             attributes.version);
  if (layout.inline_data) {
    fmt::print("  {} kept in the inode, by the metaserver\n", human_bytes(layout.inline_data->size()));
    return;
  }
  if (layout.extents.empty()) {
    fmt::print("  no data{}\n", attributes.size > 0 ? ": it reads as zeros" : "");
    return;
  }
  std::vector<std::vector<std::string>> rows = {
      {">offset", ">length", ">chunk", ">place", "code", "cell", "servers", "now"}};
  for (const Extent& extent : layout.extents) {
    const auto chunk = layout.chunks.find(extent.chunk);
    rows.push_back({std::to_string(extent.offset), std::to_string(extent.length), std::to_string(raw(extent.chunk)),
                    std::to_string(extent.place), format_code(extent.shape.code), format_size(extent.shape.cell_bytes),
                    chunk == layout.chunks.end() ? "?" : servers_of(layout, chunk->second),
                    chunk == layout.chunks.end() ? "unknown chunk" : state_of(layout, chunk->second)});
  }
  fmt::print("{}  servers of data | parity; ! does not answer now\n", text_table(std::move(rows)));
}

struct Arguments {
  std::string path, metaserver;
  bool json = false;
};

Result<WholeLayout> find_and_fetch(const Arguments& arguments) {
  ASSIGN(const Address address, find_metaserver(arguments.metaserver, arguments.path));
  ASSIGN(const std::unique_ptr<MetaClient> client, connect_metaserver(address));
  InodeId inode{};
  if (arguments.metaserver.empty()) {
    ASSIGN(inode, inode_under_mount(arguments.path));
  } else {
    ASSIGN(inode, inode_by_name(*client, arguments.path));
  }
  return fetch(*client, inode);
}

}  // namespace

void add_layout(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("layout", "Where the bytes of a file lie, and which of their shards are there now");
  command->footer(
      "A file is a list of extents; each names a chunk, the place of its first stripe, and its code. The file is "
      "flushed first.\n"
      "Examples:\n  cairn layout /mnt/cairn/data.csv\n  cairn layout -m 10.0.0.1:7000 /data.csv --json      a path "
      "from the root");
  command->add_option("PATH", arguments->path, "A file under a mount, or with -m from the filesystem's root")
      ->required();
  command->add_option("-m,--metaserver", arguments->metaserver, "HOST:PORT; needs no mount");
  command->add_flag("--json", arguments->json, "For programs");
  command->callback([arguments, &exit_code] {
    const Result<WholeLayout> layout = find_and_fetch(*arguments);
    if (!layout.ok()) {
      exit_code = fail("layout", layout.error());
    } else if (arguments->json) {
      fmt::print("{}\n", to_json(*layout, arguments->path).dump(2));
    } else {
      print(*layout, arguments->path);
    }
  });
}

}  // namespace cairn::tools
