// What an administrator asks.
namespace cpp cairn.thrift
include "types.thrift"

struct StatusRequest { 1: i64 session  2: bool with_state_hash }
struct SessionStatus {
  1: i64 session
  2: string name
  3: string host
  4: i32 pid
  5: bool mount
  6: i64 expires_in_ms
  7: i32 open_chunks
}
struct ServerLoad { 1: i32 server  2: i64 shards  3: i64 bytes }
struct RepairStatus {
  1: i64 shards_waiting
  2: i64 shards_under_way
  3: i64 bytes_left
  4: i64 bytes_per_second
  5: i64 eta_seconds          // -1: cannot be told
  6: string waiting_why       // a sentence; empty: nothing stands in the way
  7: list<ServerLoad> draining
}
struct StatusReply {
  1: optional types.Error error
  2: optional i64 incarnation
  3: optional i64 epoch
  4: optional i64 uptime_ms
  5: optional i64 inodes
  6: optional i64 chunks
  7: optional i64 open_chunks
  8: optional i64 live_bytes          // of data
  9: optional i64 missing_shards      // of chunks with live data, on servers that are down or unknown: not redundant now
  10: optional i64 shortened_chunks   // fewer data shards than the policy says: lower efficiency, full redundancy
  11: optional i64 unreadable_chunks  // fewer than d shards on servers that are up
  12: optional list<types.Server> servers
  13: optional list<types.StorageClass> classes
  14: optional list<SessionStatus> sessions
  15: optional i64 applied_index
  16: optional i64 log_bytes
  17: optional i64 garbage_chunks     // dead, in quarantine or being deleted
  18: optional i64 pending_punches
  19: optional string state_hash      // only when asked for
  20: optional i32 survivable_losses  // servers that may be lost next without losing data; -1: some data is unreadable now
  21: optional list<string> troubles  // what an administrator must mend, a sentence each
  22: optional RepairStatus repair
}
struct ChunkListRequest { 1: i64 session  2: i64 after  3: i32 limit }
struct ChunkListReply { 1: optional types.Error error  2: optional list<types.Chunk> chunks }

// To active (0), draining (1) or removed (2).
struct ChangeServerRequest { 1: i64 session  2: i32 server  3: i32 state  4: bool force  5: bool dry_run }
struct ChangeServerReply {
  1: optional types.Error error
  2: optional ServerLoad load           // what moves away, or is lost
  3: optional i64 at_risk               // chunks that could not lose another shard meanwhile
  4: optional i64 free_elsewhere
  5: optional i64 bytes_per_second      // of repair lately; 0: not known
  6: optional bool changed
}
