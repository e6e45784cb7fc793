// Chunks, servers and storage classes, as the metaserver tells them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/types.h"

namespace cairn {

struct ChunkInfo {
  ChunkId chunk{};
  ClassId storage_class{};
  Code code;                      // shortened where too few failure domains could take shards
  std::vector<ServerId> servers;  // of shard 0, 1, ...; data first; code.shards() of them
  bool sealed = false;
  uint64_t committed = 0;  // place behind the last committed stripe
  Epoch writer_epoch{};    // in each of the owner's appends and commits
  Incarnation incarnation{};
  uint64_t live_bytes = 0;
  uint32_t cell_bytes = 0;   // of the storage class, for streams
  uint64_t shard_limit = 0;  // no stripe starts at or behind this place
  bool operator==(const ChunkInfo&) const = default;
};

enum class Health : uint8_t { unknown = 0, up = 1, suspect = 2, down = 3, draining = 4 };
// Whether it has been heard lately: calls to it make sense, and what it holds is there.
inline bool answers(Health health) { return health == Health::up || health == Health::draining; }
inline const char* name_of(Health health) {
  constexpr const char* kNames[] = {"unknown", "up", "suspect", "down", "draining"};
  return kNames[static_cast<size_t>(health)];
}

// What an administrator has decided about a server. Logged, unlike its health.
enum class ServerState : uint8_t {
  active = 0,
  draining = 1,  // gets no shards, and those that it has move away
  removed = 2,   // does not belong to the cluster any more
};
inline constexpr uint8_t kServerStates = 3;
inline const char* name_of(ServerState state) {
  constexpr const char* kNames[] = {"active", "draining", "removed"};
  return kNames[static_cast<size_t>(state)];
}

struct Labels {
  std::string site, rack, host, disk;
  bool operator==(const Labels&) const = default;
};

struct ServerInfo {
  ServerId server{};
  Address address;
  std::string uuid;
  Labels labels;
  Health health = Health::unknown;
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
  BootId boot{};
  int64_t silent_ms = -1;  // since the last heartbeat; -1: none in this run of the metaserver
  ServerState state = ServerState::active;
};

struct StorageClass {
  ClassId id{};
  std::string name;
  Code policy;  // ec(k,m) with k = d
  uint32_t cell_bytes = 0;
  std::string failure_domain;  // "site", "rack", "host" or "disk"
  bool operator==(const StorageClass&) const = default;
};
inline constexpr ClassId kDefaultClass{1};

struct ClusterMap {
  Epoch epoch{};
  Incarnation incarnation{};
  std::vector<ServerInfo> servers;
  std::vector<StorageClass> classes;
};

}  // namespace cairn
