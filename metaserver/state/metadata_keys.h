// The keys of the ordered store: one byte names the table, then big-endian integers and, last, a name.
//
//   name layer    D parent name      dentry            E parent cookie     the same, in readdir's order
//   file layer    I inode            inode             X inode name        xattr
//                 F map end          extent, by the offset behind its last byte: one forward scan finds all that
//                 overlap L inode            inline data or symlink target O session inode    orphan pinned to a
//                 session            R map    extents to release in steps
//   chunk layer   C chunk            chunk             S chunk place       stripe: shape and live bytes
//                 B chunk map        live bytes of one extent map in a chunk
//                 A session chunk    open chunks of an owner               Q chunk  sealed, servers not told yet
//                 P time chunk place dead stripes      G time chunk        dead chunks      K chunk   condemned
//                 s server chunk shard                 stale: not named by its chunk's row
//   cluster       N session          session           n nonce             its id
//                 U session request  stored outcome    u session           which outcomes are still kept
//                 V server           server            v uuid              its id           y server  its state
//                 W class            storage class     w name              its id
//   jobs          J job              job               i job              how far it is
//                 j job file         input             Y job file end     pinned extent
//                 H job chunk        who held its data T job task         task            Z job task      partial
//   meta          M name             applied index, counters, identity, jobs
//
// An extent map has the id of its inode, until a large file is truncated to nothing: then the inode goes on with a
// fresh map (an id of the inodes' counter) and the old one is released in steps. Each layer could be split over
// machines by its first id. Values: rows.h.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/types.h"
#include "common/meta/jobs.h"

namespace cairn {

enum class MapId : uint64_t {};  // an extent map

enum class Table : char {
  dentry = 'D',
  cookie = 'E',
  inode = 'I',
  xattr = 'X',
  extent = 'F',
  content = 'L',
  orphan = 'O',
  release = 'R',
  chunk = 'C',
  stripe = 'S',
  chunk_ref = 'B',
  open_chunk = 'A',
  pending_seal = 'Q',
  dead_stripe = 'P',
  dead_chunk = 'G',
  condemned = 'K',
  stale_shard = 's',
  session = 'N',
  nonce = 'n',
  outcome = 'U',
  outcome_window = 'u',
  server = 'V',
  uuid = 'v',
  server_state = 'y',
  storage_class = 'W',
  class_name = 'w',
  job = 'J',
  job_state = 'i',
  job_file = 'j',
  job_extent = 'Y',
  job_chunk = 'H',
  job_task = 'T',
  job_result = 'Z',
  meta = 'M',
};

namespace keys {

std::string dentry(InodeId parent, std::string_view name);
std::string cookie(InodeId parent, uint64_t cookie);
std::string inode(InodeId inode);
std::string xattr(InodeId inode, std::string_view name);
std::string extent(MapId map, uint64_t end);
std::string content(InodeId inode);
std::string orphan(SessionId session, InodeId inode);
std::string release(MapId map);
std::string chunk(ChunkId chunk);
std::string stripe(ChunkId chunk, uint64_t place);
std::string chunk_ref(ChunkId chunk, MapId map);
std::string open_chunk(SessionId session, ChunkId chunk);
std::string pending_seal(ChunkId chunk);
std::string dead_stripe(int64_t died_ns, ChunkId chunk, uint64_t place);
std::string dead_chunk(int64_t died_ns, ChunkId chunk);
std::string condemned(ChunkId chunk);
std::string stale_shard(ServerId server, ChunkId chunk, uint8_t shard);
std::string session(SessionId session);
std::string nonce(uint64_t nonce);
std::string outcome(SessionId session, RequestId request);
std::string outcome_window(SessionId session);
std::string server(ServerId server);
std::string uuid(std::string_view uuid);
std::string server_state(ServerId server);
std::string storage_class(ClassId id);
std::string class_name(std::string_view name);
std::string job(JobId job);
std::string job_state(JobId job);
std::string job_file(JobId job, uint32_t file);
std::string job_extent(JobId job, uint32_t file, uint64_t end);
std::string job_chunk(JobId job, ChunkId chunk);
std::string job_task(JobId job, uint32_t task);
std::string job_result(JobId job, uint32_t task);

// Ranges for a scan: [first, last) holds exactly the rows of a table, or those of it that start with an id.
std::string first(Table table);
std::string last(Table table);
std::string first(Table table, uint64_t id);
std::string last(Table table, uint64_t id);

// Takes a key apart, from the table's byte on. corrupt if it is too short or of another table.
class Reader {
 public:
  Reader(Table table, std::string_view key);
  uint64_t number();  // the next big-endian 64-bit integer; 0 after a failure
  uint32_t number32();
  std::string_view rest();  // everything left, as a name
  Status finish() const;    // also fails if bytes are left over

 private:
  std::string_view left_;
  bool failed_ = false;
};

}  // namespace keys

// The row that says how far the log is applied, which every batch carries. Not part of the state hash.
inline constexpr std::string_view kAppliedKey = "Mapplied";
inline constexpr std::string_view kCountersKey = "Mcounters";
inline constexpr std::string_view kIdentityKey = "Midentity";
inline constexpr std::string_view kJobsKey = "Mjobs";

}  // namespace cairn
