// What an administrator sees (thrift/admin.thrift).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/meta/cluster.h"

namespace cairn {

struct SessionStatus {
  SessionId session{};
  std::string name, host;
  int32_t pid = 0;
  bool mount = false;
  int64_t expires_in_ms = 0;
  uint32_t open_chunks = 0;
};
// How far a server is drained: what its chunks' rows still name there.
struct ServerLoad {
  ServerId server{};
  uint64_t shards = 0;
  uint64_t bytes = 0;  // of live data, parity included
  bool operator==(const ServerLoad&) const = default;
};
struct RepairStatus {
  uint64_t shards_waiting = 0, shards_under_way = 0;
  uint64_t bytes_left = 0;           // of both, live data
  uint64_t bytes_per_second = 0;     // lately
  int64_t eta_seconds = -1;          // -1: cannot be told
  std::string waiting_why;           // a sentence; empty if nothing stands in the way
  std::vector<ServerLoad> draining;  // ascending by server
  bool operator==(const RepairStatus&) const = default;
};
// A change of a server's state that an administrator asks for.
struct ChangeServer {
  ServerId server{};
  ServerState state = ServerState::active;
  bool force = false;    // removed: although shards are there that no other server has yet
  bool dry_run = false;  // only tells what would follow
};
// What follows from it.
struct ServerChange {
  ServerLoad load;                // that moves away, or is lost
  uint64_t at_risk = 0;           // chunks that could not lose another shard meanwhile
  uint64_t free_elsewhere = 0;    // bytes on the servers that may take its shards
  uint64_t bytes_per_second = 0;  // of repair lately; 0: not known
  bool changed = false;
};
struct ClusterStatus {
  Incarnation incarnation{};
  Epoch epoch{};
  int64_t uptime_ms = 0;
  uint64_t inodes = 0, chunks = 0, open_chunks = 0, live_bytes = 0;
  uint64_t missing_shards = 0, shortened_chunks = 0, unreadable_chunks = 0;
  std::vector<ServerInfo> servers;
  std::vector<StorageClass> classes;
  std::vector<SessionStatus> sessions;
  uint64_t applied_index = 0, log_bytes = 0, garbage_chunks = 0, pending_punches = 0;
  std::string state_hash;
  int32_t survivable_losses = 0;
  std::vector<std::string> troubles;  // what an administrator must mend, a sentence each
  RepairStatus repair;
};

}  // namespace cairn
