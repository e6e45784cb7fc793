// Advisory locks (flock, fcntl) in our own types (thrift/lock.thrift).
//
// An owner is what the kernel says it is: for flock and for locks of an open file description (OFD) the description,
// for fcntl the process's table of descriptors. Its number means something together with its session only. The kernel
// does not tell a FUSE daemon OFD locks from those of a process, so both are `posix` here.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/types.h"

namespace cairn {

inline constexpr uint64_t kLockEnd =
    INT64_MAX;  // the last byte that a range can name: "up to the end, however it grows"

enum class LockKind : uint8_t { flock = 1, posix = 2 };  // they do not see each other
enum class LockMode : uint8_t { none = 0, shared = 1, exclusive = 2 };

struct LockRange {
  uint64_t first = 0;
  uint64_t last = kLockEnd;  // inclusive
  auto operator<=>(const LockRange&) const = default;
};
struct LockOwner {
  LockKind kind = LockKind::posix;
  uint64_t id = 0;
  auto operator<=>(const LockOwner&) const = default;
};

enum class LockOutcome : uint8_t {
  granted = 1,    // also: unlocked
  queued,         // it waits; an event will tell how that ended
  conflict,       // somebody else holds it (EAGAIN); of a cancelled wait: it was not granted
  deadlock,       // EDEADLK
  no_room,        // the session holds or waits for too much (ENOLCK)
  reclaim_first,  // the metaserver has restarted since `run`: nothing was done
};

struct LockCall {
  uint64_t run = 0;  // of the metaserver, as last heard; 0: never
  InodeId inode{};
  LockOwner owner;
  int32_t pid = 0;
  LockRange range;                 // of flock: everything
  LockMode mode = LockMode::none;  // none unlocks
  bool wait = false;
  uint64_t waiter = 0;  // names the wait within its session
};
struct LockAnswer {
  uint64_t run = 0;
  LockOutcome outcome = LockOutcome::granted;
  uint64_t token = 0;  // of a grant: ascending over all grants of the cluster, also over restarts
};
// How a wait ended: an event of the session.
struct LockNotice {
  uint64_t run = 0;
  uint64_t waiter = 0;
  LockOutcome outcome = LockOutcome::granted;  // or conflict, deadlock, no_room
  uint64_t token = 0;
};
struct HeldLock {
  InodeId inode{};
  LockOwner owner;
  int32_t pid = 0;
  LockRange range;
  LockMode mode = LockMode::shared;
  uint64_t token = 0;
};
// All that a session holds and waits for, told to a metaserver that has restarted.
struct LockReclaim {
  std::vector<HeldLock> held;
  std::vector<LockCall> waiting;
};
// A lock as an administrator sees it, and as F_GETLK does.
struct LockInfo {
  HeldLock lock;  // token 0: it waits
  bool waiting = false;
  SessionId session{};
  std::string session_name, host;  // of the mount
  int32_t session_pid = 0;
};
struct LockListCall {
  InodeId inode{};        // 0: of all inodes
  InodeId after{};        // inodes behind this one
  uint64_t skip = 0;      // and so many rows of them
  uint32_t limit = 1000;  // rows
};
struct LockPage {
  std::vector<LockInfo> locks;  // by inode; who waits stands behind who holds, in the order of the queue
  bool complete = true;
};

}  // namespace cairn
