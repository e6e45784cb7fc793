// Advisory locks (flock, fcntl) over all mounts.
//
// A lock that must wait is answered at once with `queued`; how the wait ended comes as an event (session.thrift) that
// stays in the session's queue until it is acknowledged. Locks are not logged: after a restart of the metaserver each
// mount tells what it holds and waits for (reclaim_locks). `run` names one life of the metaserver.
namespace cpp cairn.thrift
include "types.thrift"

// Fields hold these as i32: a number from outside that is none of them must stay a number until it has been checked.
enum LockKind { flock = 1, posix = 2 }
enum LockMode { none = 0, shared = 1, exclusive = 2 }
enum LockOutcome { granted = 1, queued = 2, conflict = 3, deadlock = 4, no_room = 5, reclaim_first = 6 }

struct Lock {
  1: i64 inode
  2: i32 kind            // LockKind
  3: i64 owner           // within the session
  4: i32 pid
  5: i64 first           // first and last byte, both inclusive; up to 2^63 - 1
  6: i64 last
  7: i32 mode            // LockMode
  8: i64 token           // of its grant; 0 in requests for a new one
}
struct LockCall {
  1: i64 run             // as last heard; 0: never
  2: Lock lock           // mode none unlocks
  3: bool wait
  4: i64 waiter          // the wait's name, within the session
}
struct LockRequest { 1: types.Mutation mutation  2: LockCall call }
struct CancelLockRequest { 1: types.Mutation mutation  2: i64 run  3: i64 waiter }
struct LockReply {
  1: optional types.Error error
  2: optional i64 run
  3: optional i32 outcome   // LockOutcome
  4: optional i64 token
}
struct ReclaimLocksRequest { 1: types.Mutation mutation  2: list<Lock> held  3: list<LockCall> waiting }

struct LockNotice { 1: i64 run  2: i64 waiter  3: i32 outcome  4: i64 token }

struct LockInfo {
  1: Lock lock
  2: bool waiting
  3: i64 session
  4: string session_name
  5: string host
  6: i32 session_pid
}
struct TestLockRequest { 1: i64 session  2: Lock lock }
struct TestLockReply { 1: optional types.Error error  2: optional bool free  3: optional LockInfo holder }
struct ListLocksRequest { 1: i64 session  2: i64 inode  3: i64 after  4: i64 skip  5: i32 limit }
struct ListLocksReply { 1: optional types.Error error  2: optional list<LockInfo> locks  3: optional bool complete }
