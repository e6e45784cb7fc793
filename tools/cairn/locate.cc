#include "tools/cairn/locate.h"

#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "common/base/config.h"
#include "common/base/network.h"

namespace cairn::tools {
namespace {

constexpr Duration kConnectTimeout = 3s;
constexpr Duration kToolCallTimeout = 10s;

}  // namespace

std::string absolute_path(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::path absolute = std::filesystem::absolute(path, ignored).lexically_normal();
  std::string text = absolute.string();
  if (char resolved[PATH_MAX]; ::realpath(text.c_str(), resolved) != nullptr) text = resolved;
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

Result<MountEntry> mount_at_or_above(const std::string& path) {
  const std::string absolute = absolute_path(path);
  ASSIGN(const std::vector<MountEntry> mounts, read_mounts());
  if (auto mount = mount_of(mounts, absolute)) return std::move(*mount);
  return {
      Errc::not_found,
      fmt::format("{} is not in a CairnFS mount of this machine; see them by: grep fuse.cairn /proc/mounts", absolute)};
}

Result<Address> find_metaserver(const std::string& flag, const std::string& path) {
  if (!flag.empty()) return parse_address(flag);
  if (!path.empty()) {
    ASSIGN(const MountEntry mount, mount_at_or_above(path));
    return parse_address(mount.source);
  }
  if (const char* named = std::getenv("CAIRN_METASERVER"); named != nullptr && *named != '\0')
    return parse_address(named);
  ASSIGN(const std::vector<MountEntry> mounts, read_mounts());
  std::set<std::string> sources;
  for (const MountEntry& mount : mounts) {
    if (mount.type == kFilesystemType) sources.insert(mount.source);
  }
  if (sources.size() == 1) return parse_address(*sources.begin());
  return {Errc::not_found,
          sources.empty()
              ? "no CairnFS is mounted here: name the cluster by -m HOST:PORT (a dev cluster's is in cairn dev status)"
              : "several clusters are mounted here: name one by a path under its mount, or by -m HOST:PORT"};
}

Status check_metaserver(const Address& address) {
  const auto stream = real_network().connect(address, real_clock().now() + kConnectTimeout);
  if (stream.ok()) return {};
  return Error{
      Errc::unavailable,
      fmt::format("no metaserver answers at {} ({}); is cairn-metaserver running there, and the port reachable? "
                  "A dev cluster is started by: cairn dev up",
                  address.text(), stream.error().what)};
}

Result<std::unique_ptr<MetaClient>> connect_metaserver(const Address& address) {
  TRY(check_metaserver(address));
  return std::make_unique<MetaClient>(real_network(), real_clock(), address,
                                      MetaClient::Options{.call_timeout = kToolCallTimeout});
}

}  // namespace cairn::tools
