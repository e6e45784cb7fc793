// Sessions, leases and their events, in our own types (thrift/session.thrift).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/base/types.h"
#include "common/meta/locks.h"

namespace cairn {

enum class LeaseKind : uint8_t { read = 1, write = 2, exclusive = 3 };

struct Lease {
  InodeId inode{};  // 0: the whole tree
  LeaseKind kind = LeaseKind::read;
  uint64_t generation = 0;
};

struct SessionRequest {
  std::string name;
  std::string host;
  int32_t pid = 0;
  bool mount = false;
  uint64_t nonce = 0;
};
struct SessionGrant {
  SessionId session{};
  Duration ttl{};
  Incarnation incarnation{};
  bool sole = false;  // holds the exclusive lease of the whole tree: the only mount
};

enum class EventType : uint8_t { recall = 1, revoked = 2, map_changed = 3, lock_ended = 4, restarted = 5 };
struct Event {
  uint64_t sequence = 0;
  EventType type = EventType::recall;
  std::optional<Lease> lease;      // of recall and revoked
  std::optional<LockNotice> lock;  // of lock_ended; of restarted its run
};

}  // namespace cairn
