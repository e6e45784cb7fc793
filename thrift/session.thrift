// Sessions, leases and the events that recall them.
//
// A mount is a session with a TTL. It long-polls events() on a connection of its own, so a recall never waits behind
// other work. A lease of inode 0 covers the whole tree: its exclusive holder is the only mount, and asks for nothing
// else. With several mounts there are leases of single inodes, which come with the answers of calls that look
// (`leased`) or by acquire_leases (docs/coherence.md).
namespace cpp cairn.thrift
include "types.thrift"
include "lock.thrift"

// Fields hold these as i32: a number from outside that is none of them must stay a number until it has been checked.
enum LeaseKind { read = 1, write = 2, exclusive = 3 }

struct Lease {
  1: i64 inode           // 0: the whole tree
  2: i32 kind            // LeaseKind. Of a recall: the weakest that is taken back: write (reading may go on), read,
                         // exclusive (everything, and the answer says whether the inode is open)
  3: i64 generation      // of inode 0: of the grant. Of a recall: its number, which names it in the answer
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
  6: optional i64 run         // of the metaserver: ascending with each start; another one has forgotten all leases
}
struct RenewRequest { 1: i64 session }
struct RenewReply { 1: optional types.Error error  2: optional i64 ttl_ms  3: optional i64 epoch  4: optional i64 run }
struct CloseSessionRequest { 1: types.Mutation mutation }

// lock_ended: a wait for a lock came to its end.
enum EventType { recall = 1, revoked = 2, map_changed = 3, lock_ended = 4 }
struct Event {
  1: i64 sequence
  2: i32 type            // EventType
  3: optional Lease lease
  4: optional lock.LockNotice lock
}
struct EventsRequest {
  1: i64 session
  2: i64 acknowledged     // every event up to this sequence has been taken in; a recalled lease of the tree is given back by it
  3: i32 wait_ms          // the call returns empty after this
}
struct EventsReply { 1: optional types.Error error  2: optional list<Event> events  3: optional i64 run }

struct AcquireRequest {
  1: i64 session
  2: list<Lease> leases
  3: bool last             // of reclaim_leases: the session has named all that it holds
  4: i64 run               // of reclaim_leases: whom this is told; another run of the metaserver refuses it
}
struct AcquireReply { 1: optional types.Error error  2: optional list<Lease> granted }
// Answers recalls: each lease carries the number of its recall, and is given back as far as that asked for.
struct ReleaseRequest {
  1: i64 session
  2: list<Lease> leases
  3: list<i64> open        // of these inodes: those that have an open descriptor here
}
