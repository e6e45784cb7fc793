// Sessions, leases and the events that recall them.
//
// A mount is a session with a TTL. It long-polls events() on a connection of its own and acknowledges recalls there with
// the next call, so a recall never waits behind other work. A lease of inode 0 covers the whole tree: its exclusive
// holder is the only mount and may cache names and attributes. Leases of single inodes use the same messages.
namespace cpp cairn.thrift
include "types.thrift"
include "lock.thrift"

// Fields hold these as i32: a number from outside that is none of them must stay a number until it has been checked.
enum LeaseKind { read = 1, write = 2, exclusive = 3 }

struct Lease {
  1: i64 inode           // 0: the whole tree
  2: i32 kind            // LeaseKind
  3: i64 generation      // ascending per inode; of this grant
}

struct OpenSessionRequest {
  1: string name           // "mount /mnt/cairn", "cairn status": for status and logs
  2: string host
  3: i32 pid
  4: bool mount            // takes part in coherence; false for tools that only look
  5: i64 nonce             // random: a retry with the same nonce gets the same session
}
struct OpenSessionReply {
  1: optional types.Error error
  2: optional i64 session
  3: optional i64 ttl_ms
  4: optional i64 incarnation
  5: optional bool sole       // holds the exclusive lease of the whole tree
}
struct RenewRequest { 1: i64 session }
struct RenewReply { 1: optional types.Error error  2: optional i64 ttl_ms  3: optional i64 epoch }
struct CloseSessionRequest { 1: types.Mutation mutation }

// lock_ended: a wait for a lock came to its end. restarted: the metaserver has, and asks for reclaim_locks.
enum EventType { recall = 1, revoked = 2, map_changed = 3, lock_ended = 4, restarted = 5 }
struct Event {
  1: i64 sequence
  2: i32 type            // EventType
  3: optional Lease lease
  4: optional lock.LockNotice lock
}
struct EventsRequest {
  1: i64 session
  2: i64 acknowledged     // every event up to this sequence has been acted upon: a recalled lease is given back
  3: i32 wait_ms          // the call returns empty after this
}
struct EventsReply { 1: optional types.Error error  2: optional list<Event> events }

struct AcquireRequest { 1: i64 session  2: list<Lease> leases }
struct AcquireReply { 1: optional types.Error error  2: optional list<Lease> granted }
struct ReleaseRequest { 1: i64 session  2: list<Lease> leases }
