#include "tools/cairn/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "common/base/config.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

const StorageClass* default_class(const ClusterStatus& status) {
  for (const StorageClass& one : status.classes) {
    if (one.id == kDefaultClass) return &one;
  }
  return nullptr;
}

std::string domain_of(const ServerInfo& server, const std::string& domain) {
  const Labels& labels = server.labels;
  std::string name = labels.site;
  if (domain == "site") return name;
  name += "/" + labels.rack;
  if (domain == "rack") return name;
  name += "/" + labels.host;
  return domain == "host" ? name : name + "/" + labels.disk;
}

// How many failure domains can take new shards.
size_t usable_domains(const ClusterStatus& status, const std::string& domain) {
  std::set<std::string> usable;
  for (const ServerInfo& server : status.servers) {
    if (server.health == Health::up) usable.insert(domain_of(server, domain));
  }
  return usable.size();
}

std::vector<std::string> silent_servers(const ClusterStatus& status) {
  std::vector<std::string> silent;
  for (const ServerInfo& server : status.servers) {
    if (server.health == Health::suspect || server.health == Health::down || server.health == Health::unknown) {
      silent.push_back(fmt::format("{} ({})", raw(server.server), server.address.text()));
    }
  }
  return silent;
}

std::string losses(int32_t survivable) {
  if (survivable <= 0) return "no further loss is survived";
  return fmt::format("{} may be lost", counted(static_cast<uint64_t>(survivable), "more server"));
}

}  // namespace

const char* name_of(Condition condition) {
  switch (condition) {
    case Condition::healthy:
      return "healthy";
    case Condition::degraded:
      return "degraded";
    case Condition::unavailable:
      return "unavailable";
  }
  return "unknown";
}

Verdict verdict_of(const ClusterStatus& status) {
  const std::vector<std::string> silent = silent_servers(status);
  const std::string who = silent.empty()
                              ? ""
                              : fmt::format("{} of {} do not answer: {}", silent.size(),
                                            counted(status.servers.size(), "chunkserver"), fmt::join(silent, ", "));
  const std::string start =
      silent.empty()
          ? ""
          : "start them again (a dev cluster's: cairn dev up), or take what is lost for good out: cairn node remove";
  if (status.unreadable_chunks > 0) {
    return {Condition::unavailable,
            fmt::format("{} cannot be read now{}{}", counted(status.unreadable_chunks, "chunk"),
                        who.empty() ? "" : "; ", who),
            start.empty() ? "wait a few seconds if the metaserver has just started; otherwise look at the servers' logs"
                          : start};
  }
  if (status.servers.empty()) {
    return {Condition::unavailable, "no chunkserver has reported yet", "start some: cairn-chunkserver --help"};
  }
  const StorageClass* standard = default_class(status);
  const size_t usable = standard != nullptr ? usable_domains(status, standard->failure_domain) : 0;
  if (standard != nullptr && usable < standard->policy.m + 1u) {
    return {Condition::unavailable,
            fmt::format("new data cannot be written: {} of failure domain \"{}\" can take it and {} needs {}{}{}",
                        usable, standard->failure_domain, format_code(standard->policy), standard->policy.m + 1,
                        who.empty() ? "" : "; ", who),
            start.empty() ? "add chunkservers on more hosts" : start};
  }
  if (!status.troubles.empty()) {
    return {Condition::degraded,
            fmt::format("{}; everything can be read, {} missing, {}{}{}", status.troubles.front(),
                        counted(status.missing_shards, "shard"), losses(status.survivable_losses),
                        who.empty() ? "" : "; ", who),
            start};
  }
  if (status.missing_shards > 0) {
    return {Condition::degraded,
            fmt::format("{} missing; everything can be read, {}{}{}", counted(status.missing_shards, "shard"),
                        losses(status.survivable_losses), who.empty() ? "" : "; ", who),
            start};
  }
  if (!silent.empty()) {
    return {Condition::degraded,
            fmt::format("{}; no stored data depends on them, {}", who, losses(status.survivable_losses)), start};
  }
  std::string what = fmt::format("everything is fully redundant, {}", losses(status.survivable_losses));
  if (status.shortened_chunks > 0) {
    what += fmt::format("; {} written while servers were away, as safe as the others but larger",
                        counted(status.shortened_chunks, "chunk"));
  }
  return {Condition::healthy, what, ""};
}

}  // namespace cairn::tools
