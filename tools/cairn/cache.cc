// cairn cache: what a mount keeps of the servers' data in memory and on a local disk.
#include <fmt/format.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/cairn/cache_warm.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kMostJson = 65536;
constexpr const char* kNoDisk = "no disk cache; mount with -o cache_dir=DIR to have one (cairn mount --help)";

Result<Json> ask_mount(const std::string& path) {
  ASSIGN(const MountEntry mount, mount_at_or_above(path));
  std::string text(kMostJson, '\0');
  const ssize_t length = ::getxattr(mount.mountpoint.c_str(), "cairn.cache", text.data(), text.size());
  if (length < 0) {
    return {errno == ENODATA ? Errc::not_supported : Errc::io,
            errno == ENODATA ? mount.mountpoint + " is served by an older version, which cannot tell"
                             : fmt::format("{}: {}", mount.mountpoint, std::strerror(errno))};
  }
  Json json = Json::parse(text.substr(0, static_cast<size_t>(length)), nullptr, false);
  if (!json.is_object()) return {Errc::invalid, mount.mountpoint + " answers something else than JSON"};
  json["mount"] = mount.mountpoint;
  return json;
}

uint64_t number(const Json& tier, const char* name) { return tier.value(name, uint64_t{0}); }

std::vector<std::string> row_of(const std::string& name, const Json& tier) {
  const uint64_t hits = number(tier, "hits"), all = hits + number(tier, "misses");
  return {name,
          human_bytes(number(tier, "used_bytes")),
          human_bytes(number(tier, "limit_bytes")),
          std::to_string(number(tier, "entries")),
          std::to_string(hits),
          std::to_string(all - hits),
          all == 0 ? "-" : fmt::format("{:.1f} %", 100.0 * static_cast<double>(hits) / static_cast<double>(all))};
}

void print(const Json& json) {
  const Json& disk = json["disk"];
  const std::string state = disk.value("state", "none");
  const bool works = disk.contains("limit_bytes");
  fmt::print("{}\n\n", json.value("mount", ""));
  std::vector<std::vector<std::string>> rows = {{"tier", ">used", ">of", ">entries", ">hits", ">misses", ">hit rate"}};
  rows.push_back(row_of("memory", json["memory"]));
  if (works) rows.push_back(row_of("disk", disk));
  fmt::print("{}\n", text_table(std::move(rows)));
  if (!works) {
    if (state == "none") fmt::print("  {}\n", kNoDisk);
    if (state != "none") fmt::print("  no disk cache: {}\n", disk.value("trouble", ""));
    return;
  }
  fmt::print("  disk: {}, {}", disk.value("directory", ""), state);
  const std::string trouble = disk.value("trouble", "");
  fmt::print("{}\n", trouble.empty() ? "" : ": " + trouble + "; reads go to the servers, it is tried again by itself");
  fmt::print("  pieces: {} admitted, {} not worth it, {} left out because the disk was behind, {} evicted, {} bad\n",
             number(disk, "admitted"), number(disk, "rejected"), number(disk, "dropped"), number(disk, "evicted"),
             number(disk, "bad"));
  if (number(disk, "queued_bytes") > 0)
    fmt::print("  {} wait to be written\n", human_bytes(number(disk, "queued_bytes")));
}

int run_status(const std::string& path, bool as_json) {
  const Result<Json> json = ask_mount(path);
  if (!json.ok()) return fail("cache", json.error());
  if (as_json) {
    fmt::print("{}\n", json->dump(2));
  } else {
    print(*json);
  }
  return kOk;
}

int run_drop(const std::string& path) {
  const Result<MountEntry> mount = mount_at_or_above(path);
  if (!mount.ok()) return fail("cache", mount.error());
  if (::setxattr(mount->mountpoint.c_str(), "cairn.cache", "drop", 4, 0) == 0) return kOk;
  const std::string why = errno == EROFS ? "it is mounted read-only; unmount it and delete the files in its cache_dir"
                                         : std::strerror(errno);
  return fail("cache", {Errc::io, fmt::format("{}: {}", mount->mountpoint, why)});
}

int run_warm(const std::vector<std::string>& paths, uint32_t threads, bool as_json, bool quiet) {
  const Result<WarmReport> report = warm(paths, threads, quiet || as_json);
  if (!report.ok()) return fail("cache", report.error());
  const Result<Json> cache = ask_mount(paths.front());
  if (!cache.ok()) return fail("cache", cache.error());
  const Json& disk = (*cache)["disk"];
  const bool on_disk = disk.contains("limit_bytes");
  const uint64_t room = number(on_disk ? disk : (*cache)["memory"], "limit_bytes");
  if (as_json) {
    const Json json = {{"files", report->files},
                       {"bytes", report->bytes},
                       {"failures", report->failures},
                       {"first_failure", report->first_failure},
                       {"tier", on_disk ? "disk" : "memory"},
                       {"milliseconds", report->milliseconds}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}, {} in {} in the {} cache\n", counted(report->files, "file"), human_bytes(report->bytes),
               human_milliseconds(static_cast<int64_t>(report->milliseconds)), on_disk ? "disk" : "memory");
  }
  if (report->bytes > room)
    say(fmt::format("cairn cache: that is more than the {} for which there is room; the first of it is gone again{}",
                    human_bytes(room), on_disk ? "" : std::string("; there is ") + kNoDisk));
  if (report->failures == 0) return kOk;
  return fail("cache", {Errc::io, fmt::format("{} could not be fetched or stored; the first is {}; see: cairn cache "
                                              "status, cairn status",
                                              counted(report->failures, "file"), report->first_failure)});
}

}  // namespace

void add_cache(CLI::App& app, int& exit_code) {
  struct Arguments {
    std::string path = ".";
    std::vector<std::string> paths;
    bool json = false, quiet = false;
    uint32_t threads = 4;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("cache", "What a mount keeps in memory and on a local disk");
  command->require_subcommand(1);
  command->footer(
      "A mount keeps clean data in memory (-o cache=64M) and, if it is given a directory, on a local disk:\n"
      "  cairn mount HOST:PORT /mnt/cairn -o cache_dir=/var/cache/cairn,cache_disk=200G,cache_keep_free=10G\n"
      "What is read or written is kept there over restarts; all of it is verified when it is used. A reader that goes\n"
      "once through much data does not push out what is used again and again. The directory belongs to one mount and\n"
      "may be deleted, damaged or full at any time, which makes reads slower and nothing else.\n"
      "Examples:\n"
      "  cairn cache status /mnt/cairn           sizes, hit rates, and whether the disk works\n"
      "  cairn cache warm /mnt/cairn/models      before a job, or before the network goes away\n"
      "  cairn cache drop /mnt/cairn             for a measurement from cold");
  CLI::App* status = command->add_subcommand("status", "Sizes, hits and misses, and whether the disk works");
  status->add_option("PATH", arguments->path, "The mount, or any path under it")->capture_default_str();
  status->add_flag("--json", arguments->json, "As JSON");
  status->footer(
      "Hits and misses of memory count stripes of reads, those of the disk pieces of up to 128 KiB that memory did "
      "not\n"
      "have. The kernel's own cache of a mount is in front of both and is not counted.\n"
      "Example:\n  cairn cache status /mnt/cairn --json");
  status->callback([arguments, &exit_code] { exit_code = run_status(arguments->path, arguments->json); });
  CLI::App* warming = command->add_subcommand("warm", "Fetches files and trees into the cache");
  warming->add_option("PATH", arguments->paths, "Files or directories under one mount")->required();
  warming->add_option("--threads", arguments->threads, "Ranges of 4 MiB that are fetched at once")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  warming->add_flag("--json", arguments->json, "The result as JSON, no progress");
  warming->add_flag("--quiet", arguments->quiet, "No progress");
  warming->footer(
      "Goes into the disk cache whatever is pushed out of it; without one, into memory. What has not been flushed yet "
      "is\n"
      "left out (cairn sync first).\n"
      "Example:\n  cairn cache warm /mnt/cairn/models /mnt/cairn/tables/2026.csv");
  warming->callback([arguments, &exit_code] {
    exit_code = run_warm(arguments->paths, arguments->threads, arguments->json, arguments->quiet);
  });
  CLI::App* drop = command->add_subcommand("drop", "Empties both tiers of a mount");
  drop->add_option("PATH", arguments->path, "The mount, or any path under it")->capture_default_str();
  drop->footer(
      "What is buffered and not stored yet is not touched. The kernel's cache of the mount stays; root drops it by:\n"
      "  echo 1 > /proc/sys/vm/drop_caches\n"
      "Example:\n  cairn cache drop /mnt/cairn");
  drop->callback([arguments, &exit_code] { exit_code = run_drop(arguments->path); });
}

}  // namespace cairn::tools
