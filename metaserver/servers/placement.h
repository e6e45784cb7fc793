// Who may take the shards of a new chunk, or one shard of an old one.
//
//   candidates --up, with room--> by failure domain --two drawn by free space, the emptier kept--> one shard per domain
//
// Where fewer than k + m domains can take shards, the code is shortened to (d, m) with d = min(k, domains - m): we give
// up k, never m. Fewer than m + 1 domains: no_space. Servers that failed the asking writer are left out as long as m +
// 1 domains remain without them, even if that shortens the code: a grant that fails again helps nobody. Pure: the same
// candidates, request and seed give the same answer. Not here: who is up (membership.h), what was granted (the state
// machine's chunk rows).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/meta/cluster.h"

namespace cairn {

struct Candidate {
  ServerId server{};
  Labels labels;
  Health health = Health::unknown;
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
  uint64_t promised_bytes = 0;  // granted since the server last reported its free space
};

struct PlacementRequest {
  Code policy;                 // ec(k,m) with k = d
  std::string failure_domain;  // "site", "rack", "host" or "disk"
  std::vector<ServerId>
      avoid;  // the worst first. Where the others are too few, as few of these as will do, from the end
};

struct Placement {
  Code code;                      // shortened where needed
  std::vector<ServerId> servers;  // of shard 0, 1, ...; in random order, so that data and parity rotate
};

// Free space that placement leaves alone on each server: 256 MiB, or 2 % of a larger disk.
uint64_t reserve_bytes(uint64_t total_bytes);

// The failure domain of a server: its labels from the site down to that level. Equal strings are the same domain.
// invalid for an unknown level.
Result<std::string> domain_of(const Labels& labels, const std::string& failure_domain);

Result<Placement> place(const std::vector<Candidate>& candidates, const PlacementRequest& request, uint64_t seed);

// One shard of a chunk that exists, which moves to another server.
struct ShardRequest {
  std::string failure_domain = {};
  std::vector<ServerId> others = {};  // that hold the other shards: their domains are taken
  std::vector<ServerId> avoid = {};   // not these
  uint64_t bytes = 0;                 // that must have room
};
// no_space: no other failure domain has a server that can take it.
Result<ServerId> place_shard(const std::vector<Candidate>& candidates, const ShardRequest& request, uint64_t seed);

}  // namespace cairn
