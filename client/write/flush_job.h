// One flush: the files' bytes become stripes, the stripes become durable, one commit makes all of them visible.
//
//   add files -> append (with the turn of its class and kind) -> settle: sync, wait for older flushes, commit -> inodes
//   are told
//                                   ^--- another chunk, same bytes ---'  when a chunk breaks or is sealed meanwhile
//
// What settle waits for was always taken earlier (places before its own in a chunk that it appended to with the turn,
// older layers of its inodes; a chunk that replaces a broken one is its own), so flushes cannot wait for each other in
// a circle. One thread at a time. Every taken layer is committed or put back by the time settle or give_up returns.
#pragma once

#include <memory>
#include <vector>

#include "client/client_context.h"
#include "client/write/chunk_pool.h"
#include "client/write/flush_take.h"
#include "client/write/packer.h"

namespace cairn {

class FlushJob {
 public:
  FlushJob(ClientContext& context, ChunkPool& pool, ClassId storage_class, ChunkKind kind);
  void add(FlushFile file);
  size_t files() const { return files_.size(); }
  uint64_t bytes() const { return bytes_; }

  // Only whoever has the turn of the class and kind.
  void append();
  // Returns the inodes' outcome, which they have been told too.
  Status settle();
  // Inodes that have dirty data (again): the flusher registers them.
  const std::vector<FlushFile>& finished() const { return files_; }

 private:
  // Consecutive stripes in one chunk.
  struct Part {
    ChunkLease chunk;
    std::vector<PackedStripe> stripes;
    std::vector<PlacedStripe> placed;  // empty: not stored (any more)
    bool private_chunk = false;        // given back when committed

    uint64_t from() const { return placed.front().place; }
    uint64_t to() const { return placed.back().place + placed.back().shape.stride(); }
  };

  // Appends the runs to `chunk` and, where it is full, to what next_chunk gives.
  Status store(std::vector<PackRun> runs, ChunkLease chunk, bool private_chunk);
  Status append_part(Part& part);
  void lose(Part& part);
  Status store_lost_again();
  void make_durable();  // loses the parts that fail
  Status wait_for_older_layers();
  bool all_have_turn();  // loses the parts that have not
  bool any_lost() const;
  Result<Committed> commit();
  void succeed(const Committed& committed, const ClientContext::Asked& asked);
  void fail(const Error& error);
  void offer_to_disk_cache(const Part& part) const;

  ClientContext& context_;
  ChunkPool& pool_;
  const ClassId class_;
  const ChunkKind kind_;
  std::vector<FlushFile> files_;
  uint64_t bytes_ = 0;
  std::vector<Part> parts_;
  std::vector<ServerId> failed_servers_;
  Status appended_;
  Instant deadline_;
  bool may_have_happened_ = false;  // a commit whose answer did not come
  Error last_trouble_{Errc::io, "no attempt was made"};
};

}  // namespace cairn
