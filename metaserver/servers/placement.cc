#include "metaserver/servers/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "common/base/random.h"

namespace cairn {
namespace {

uint64_t usable_bytes(const Candidate& candidate) {
  const uint64_t taken = reserve_bytes(candidate.total_bytes) + candidate.promised_bytes;
  return candidate.free_bytes > taken ? candidate.free_bytes - taken : 0;
}

double free_fraction(const Candidate& candidate) {
  return candidate.total_bytes == 0
             ? 0.0
             : static_cast<double>(usable_bytes(candidate)) / static_cast<double>(candidate.total_bytes);
}

// The servers of one failure domain that can take a shard.
struct Domain {
  std::vector<const Candidate*> servers;
  uint64_t weight = 0;  // usable bytes of its roomiest server: only one of them takes a shard
  double free = 0;      // fraction of that server
};

// Without the first `avoid` of those to be avoided.
std::vector<Domain> usable_domains(const std::vector<Candidate>& candidates, const PlacementRequest& request,
                                   size_t avoid) {
  std::map<std::string, Domain> domains;
  for (const Candidate& candidate : candidates) {
    if (candidate.health != Health::up || usable_bytes(candidate) == 0) continue;
    const auto avoid_end = request.avoid.begin() + static_cast<ptrdiff_t>(avoid);
    if (std::find(request.avoid.begin(), avoid_end, candidate.server) != avoid_end) continue;
    auto name = domain_of(candidate.labels, request.failure_domain);
    if (!name.ok()) continue;  // the level was checked by place()
    Domain& domain = domains[*name];
    domain.servers.push_back(&candidate);
    if (usable_bytes(candidate) > domain.weight) {
      domain.weight = usable_bytes(candidate);
      domain.free = free_fraction(candidate);
    }
  }
  std::vector<Domain> result;
  for (auto& [name, domain] : domains) result.push_back(std::move(domain));
  return result;
}

// An index drawn with probability proportional to its weight (in KiB, so that sums stay far from overflow).
template <typename Item, typename Weight>
size_t draw(const std::vector<Item>& items, const Weight& weight, Random& random) {
  uint64_t sum = 0;
  for (const Item& item : items) sum += (weight(item) >> 10) + 1;
  uint64_t at = random.below(sum);
  for (size_t i = 0; i < items.size(); ++i) {
    const uint64_t share = (weight(items[i]) >> 10) + 1;
    if (at < share) return i;
    at -= share;
  }
  return items.size() - 1;
}

// Two draws, of which the emptier one (by fraction of its size) is kept.
template <typename Item, typename Weight, typename Free>
size_t draw_best_of_two(const std::vector<Item>& items, const Weight& weight, const Free& free, Random& random) {
  const size_t one = draw(items, weight, random);
  const size_t two = draw(items, weight, random);
  return free(items[two]) > free(items[one]) ? two : one;
}

}  // namespace

uint64_t reserve_bytes(uint64_t total_bytes) { return std::max<uint64_t>(256u << 20, total_bytes / 50); }

Result<std::string> domain_of(const Labels& labels, const std::string& failure_domain) {
  // A zero byte separates the levels, so that no two different paths read the same.
  std::string path = labels.site;
  if (failure_domain == "site") return path;
  path += '\0' + labels.rack;
  if (failure_domain == "rack") return path;
  path += '\0' + labels.host;
  if (failure_domain == "host") return path;
  path += '\0' + labels.disk;
  if (failure_domain == "disk") return path;
  return Error{Errc::invalid, fmt::format("failure domain '{}' is none of site, rack, host and disk", failure_domain)};
}

Result<Placement> place(const std::vector<Candidate>& candidates, const PlacementRequest& request, uint64_t seed) {
  TRY([&]() -> Status {
    auto level = domain_of({}, request.failure_domain);
    return level.ok() ? Status{} : Status(level.error());
  }());
  const uint32_t k = request.policy.d;
  const uint32_t m = request.policy.m;
  if (k < 1 || k > kMaxDataShards || m > kMaxParityShards) {
    return Error{Errc::invalid,
                 fmt::format("ec({},{}) is outside ec(1..{},0..{})", k, m, kMaxDataShards, kMaxParityShards)};
  }
  std::vector<Domain> domains = usable_domains(candidates, request, request.avoid.size());
  if (domains.size() < m + 1) {
    size_t enough = 0, too_many = request.avoid.size();
    while (enough + 1 < too_many) {
      const size_t middle = enough + (too_many - enough) / 2;
      (usable_domains(candidates, request, middle).size() < m + 1 ? too_many : enough) = middle;
    }
    domains = usable_domains(candidates, request, enough);
  }
  if (domains.size() < m + 1) {
    return Error{Errc::no_space,
                 fmt::format("ec({},{}) needs chunkservers with free space in at least {} different {}s; {} can take "
                             "shards now: start or add chunkservers, or free space on them",
                             k, m, m + 1, request.failure_domain, domains.size())};
  }
  Placement placement;
  placement.code = Code{static_cast<uint8_t>(std::min<size_t>(k, domains.size() - m)), request.policy.m};
  Random random(seed);
  while (placement.servers.size() < placement.code.shards()) {
    const size_t chosen = draw_best_of_two(
        domains, [](const Domain& domain) { return domain.weight; }, [](const Domain& domain) { return domain.free; },
        random);
    const auto& servers = domains[chosen].servers;
    const size_t server = draw_best_of_two(
        servers, [](const Candidate* c) { return usable_bytes(*c); },
        [](const Candidate* c) { return free_fraction(*c); }, random);
    placement.servers.push_back(servers[server]->server);
    domains.erase(domains.begin() + static_cast<ptrdiff_t>(chosen));
  }
  // The roomier servers tend to be drawn first: shuffled, so that none of them holds mostly data shards.
  for (size_t i = placement.servers.size(); i > 1; --i)
    std::swap(placement.servers[i - 1], placement.servers[random.below(i)]);
  return placement;
}

Result<ServerId> place_shard(const std::vector<Candidate>& candidates, const ShardRequest& request, uint64_t seed) {
  std::set<std::string> taken;
  for (const Candidate& candidate : candidates) {
    if (std::ranges::find(request.others, candidate.server) == request.others.end()) continue;
    ASSIGN(std::string domain, domain_of(candidate.labels, request.failure_domain));
    taken.insert(std::move(domain));
  }
  std::vector<const Candidate*> usable;
  for (const Candidate& candidate : candidates) {
    if (candidate.health != Health::up || usable_bytes(candidate) <= request.bytes) continue;
    if (std::ranges::find(request.avoid, candidate.server) != request.avoid.end()) continue;
    ASSIGN(const std::string domain, domain_of(candidate.labels, request.failure_domain));
    if (!taken.contains(domain)) usable.push_back(&candidate);
  }
  if (usable.empty()) {
    return Error{Errc::no_space, fmt::format("no chunkserver with free space is in a {} that has no shard of the chunk "
                                             "yet: start or add one, or free space",
                                             request.failure_domain)};
  }
  Random random(seed);
  const size_t chosen = draw_best_of_two(
      usable, [](const Candidate* c) { return usable_bytes(*c); }, [](const Candidate* c) { return free_fraction(*c); },
      random);
  return usable[chosen]->server;
}

}  // namespace cairn
