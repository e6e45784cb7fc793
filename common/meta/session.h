// Sessions, leases and their events, in our own types (thrift/session.thrift).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/types.h"
#include "common/meta/locks.h"

namespace cairn {

enum class LeaseKind : uint8_t { read = 1, write = 2, exclusive = 3 };

struct Lease {
  InodeId inode{};                   // 0: the whole tree
  LeaseKind kind = LeaseKind::read;  // of a recall: the weakest that is taken back; exclusive: all, and is it open?
  uint64_t generation = 0;           // of a recall: its number
  bool operator==(const Lease&) const = default;
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
  uint64_t run = 0;   // of the metaserver: ascending with each start; another one has forgotten all leases
};

enum class EventType : uint8_t { recall = 1, revoked = 2, map_changed = 3, lock_ended = 4 };
struct Event {
  uint64_t sequence = 0;
  EventType type = EventType::recall;
  std::optional<Lease> lease;      // of recall and revoked
  std::optional<LockNotice> lock;  // of lock_ended
};
struct EventPage {
  std::vector<Event> events;
  uint64_t run = 0;
};

}  // namespace cairn
