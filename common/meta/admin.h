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
};

}  // namespace cairn
