// Values that more than one service speaks of. Field ids are taken for ever; a removed field leaves its number behind.
// Integers that are ids or sizes are unsigned 64-bit values carried in an i64.
// Not here: their meaning (docs/protocol.md), our own types (common/meta).
namespace cpp cairn.thrift

struct Error {
  1: i16 code              // cairn::Errc
  2: string what           // for a person
}

// Every reply has field 1 = error: set means failed, and no other field counts.

// Stands in every mutating call. A retry carries the same session and request, and is answered from the stored outcome.
struct Mutation {
  1: i64 session
  2: i64 request            // ascending within the session, from 1
  3: i64 lowest_unanswered  // outcomes of older requests may be dropped
}

struct Address {
  1: string host
  2: i32 port
}

struct Code {
  1: i16 d
  2: i16 m
}

struct Time {
  1: i64 seconds
  2: i32 nanoseconds
}

struct Attributes {
  1: i64 inode
  2: i64 version      // ascending with each change of the inode, its data included
  3: i32 mode         // type and permissions, as st_mode
  4: i32 links
  5: i32 uid
  6: i32 gid
  7: i64 size
  8: i64 stored       // bytes of data that extents refer to, for st_blocks
  9: i64 rdev
  10: Time atime
  11: Time mtime
  12: Time ctime
  13: i32 storage_class
  14: i32 generation
}

// A run of equal stripes that holds a range of a file. Byte p of the run is in stripe p / (d * cell_bytes).
struct Extent {
  1: i64 offset
  2: i64 length
  3: i64 chunk
  4: i64 place         // of the run's first stripe
  5: i64 position      // of the extent's first byte in the run
  6: Code code
  7: i32 cell_bytes
  8: i32 header_bytes
  9: i32 present       // bit i: data cell i is stored
}

struct Chunk {
  1: i64 chunk
  2: i32 storage_class
  3: Code code
  4: list<i32> servers  // of shard 0, 1, ...; data first
  5: bool sealed
  6: i64 committed      // place behind the last committed stripe
  7: i64 writer_epoch
  8: i64 incarnation
  9: i64 live_bytes
  10: i32 cell_bytes    // the storage class's cell size for streams
  11: i64 shard_limit   // no stripe starts at or behind this place
}

struct Server {
  1: i32 server
  2: Address address
  3: string uuid
  4: string site
  5: string rack
  6: string host
  7: string disk
  8: i32 health         // 0 unknown, 1 up, 2 suspect, 3 down, 4 draining
  9: i64 total_bytes
  10: i64 free_bytes
  11: i64 boot
  12: i64 silent_ms     // since the last heartbeat; -1 never heard in this run of the metaserver
  13: i32 state         // 0 active, 1 draining, 2 removed: what an administrator has decided
}

struct StorageClass {
  1: i32 id
  2: string name
  3: Code policy           // ec(k,m): k = d
  4: i32 cell_bytes
  5: string failure_domain  // site, rack, host or disk
}
