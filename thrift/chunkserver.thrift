// What clients and the metaserver ask of a chunkserver.
//
// append and read have a raw tail: after the Thrift frame of the request (append) or of the reply (read) follow exactly
// `tail_bytes` raw bytes on the same connection. A reply with an error has no tail. All other calls are plain framed Thrift.
namespace cpp cairn.thrift
include "types.thrift"

struct AppendRequest {
  1: i64 incarnation
  2: i64 chunk
  3: i16 shard
  4: i64 place            // byte offset in the shard; at or behind its end, or a byte-identical repetition
  5: i64 writer_epoch     // refused below the shard's fence
  6: i32 tail_bytes       // the record: header and cell, multiples of 4096
  7: bool sync            // reply only when durable
  8: i32 server           // whom the caller means to ask; another one answers stale_boot and does nothing. 0: not said.
}
struct AppendReply {
  1: optional types.Error error
  2: optional i64 boot
  3: optional i64 shard_end      // of the shard, after this append
}
struct SyncRequest {
  1: i64 incarnation
  2: i64 chunk
  3: i16 shard
  4: i64 boot             // of the appends; another boot refuses with stale_boot
  5: i64 shard_end              // everything before it is durable after the reply
  6: i32 server
}
struct SyncReply { 1: optional types.Error error  2: optional i64 boot  3: optional i64 shard_end }

// Returns the record's header and a range of its cell, as they lie on the disk: unverified, zeros for holes.
struct ReadRequest {
  1: i64 incarnation
  2: i64 chunk
  3: i16 shard
  4: i64 place
  5: i32 header_bytes     // 0: the caller knows the header
  6: i32 cell_offset      // multiple of 4096
  7: i32 cell_bytes       // multiple of 4096
  8: i32 server
}
struct ReadReply { 1: optional types.Error error  2: optional i32 tail_bytes }

struct SealShardRequest {
  1: i64 incarnation
  2: i64 chunk
  3: i16 shard
  4: i64 committed        // bytes beyond are garbage; kept until the shard is removed
  5: i64 fence            // appends with a lower writer epoch are refused from now on
  6: i32 server
}
struct PunchRequest { 1: i64 incarnation  2: i64 chunk  3: i16 shard  4: i64 place  5: i64 length  6: i32 server }
struct RemoveShardRequest { 1: i64 incarnation  2: i64 chunk  3: i16 shard  4: i32 server }
struct ListShardsRequest { 1: i64 incarnation  2: i64 after_chunk  3: i32 limit  4: i32 server }
struct ShardInfo {
  1: i64 chunk
  2: i16 shard
  3: i64 shard_end
  4: bool sealed
  5: i64 committed
  6: i64 allocated
  7: bool failed           // a sync or write failed: it takes no more appends
}
struct ListShardsReply { 1: optional types.Error error  2: optional list<ShardInfo> shards  3: optional bool complete }
struct ChunkserverStatusReply {
  1: optional types.Error error
  2: optional i64 boot
  3: optional string uuid
  4: optional i64 total_bytes
  5: optional i64 free_bytes
  6: optional i64 shards
  7: optional i64 bad_records
}
struct ChunkserverStatusRequest { 1: i64 session }
struct ShardReply { 1: optional types.Error error }

// Some work on a shard of a sealed chunk that is made again here, from those that others have.
struct Stripe {
  1: i64 place
  2: i32 cell_bytes
  3: i32 header_bytes
  4: i32 present           // bit i: data cell i is stored
  5: bool dead             // nothing refers to it: it may be punched on some servers
}
struct RebuildRequest {
  1: i64 incarnation
  2: i64 chunk
  3: i16 shard
  4: i32 server
  5: i64 attempt           // the calls of one attempt follow each other; another one begins anew
  6: types.Code code
  7: list<i32> servers     // of shard 0, 1, ...
  8: i64 lost              // bit i: shard i is not to be read
  9: bool copy             // servers[shard] may still have it
  10: i64 committed
  11: list<Stripe> stripes // the next ones, ascending
  12: bool last            // none follows
  13: i32 at_most_ms       // no further stripe is begun after this
  14: i64 done_until       // the end of the last stripe that was dealt with before; 0: the first call
}
struct RebuildReply {
  1: optional types.Error error   // not_found: calls of this attempt before are not remembered, begin with another
  2: optional i32 stripes         // dealt with, of those in the request
  3: optional bool done           // the shard is durable under its name
  4: optional i64 copied          // records
  5: optional i64 decoded
  6: optional i64 bytes
}

service Chunkserver {
  AppendReply append(1: AppendRequest request)
  SyncReply sync(1: SyncRequest request)
  ReadReply read(1: ReadRequest request)
  ShardReply seal(1: SealShardRequest request)
  ShardReply punch(1: PunchRequest request)
  ShardReply remove(1: RemoveShardRequest request)
  RebuildReply rebuild(1: RebuildRequest request)
  ListShardsReply list_shards(1: ListShardsRequest request)
  ChunkserverStatusReply status(1: ChunkserverStatusRequest request)
}
