// What an inode's writers have written and no commit has taken yet: bytes in memory, in layers.
//
//   dirty layer      PieceMap of the newest bytes, still growing        DirtyLayer
//   flushing layers  taken by a flush, immutable, oldest first          FlushLayer
//   committed        extents of the metaserver                          layout_cache.h
//
// A Segment is memory that several pieces may share. Bytes of a segment that a piece shows are never changed again, so
// a reader that has copied the pieces may read them without any mutex. Offsets and lengths are in bytes of the file.
// None of these classes locks: the inode's mutex guards its layers. Segments may be dropped on any thread. Not here:
// how much memory all inodes may hold together (buffer_budget.h), who flushes when (flusher.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "client/write/buffer_budget.h"
#include "common/base/clock.h"
#include "common/meta/attributes.h"

namespace cairn {

struct Piece {
  uint64_t offset = 0;  // in the file
  uint32_t length = 0;  // > 0
  std::shared_ptr<Segment> segment;
  uint32_t at = 0;  // of the first byte in the segment

  uint64_t end() const { return offset + length; }
  const uint8_t* data() const { return segment->data() + at; }
  Piece part(uint64_t from, uint64_t to) const;  // requires offset <= from < to <= end()
};

// Pieces that do not overlap, by offset.
class PieceMap {
 public:
  void insert(Piece piece);               // over what was there
  void insert_below(const Piece& piece);  // only where nothing is
  void erase(uint64_t from, uint64_t to);
  // The parts that lie in [from, to), in order.
  std::vector<Piece> within(uint64_t from, uint64_t to) const;
  bool covers(uint64_t from, uint64_t to) const;
  // Moves what lies below cut into a map of its own.
  PieceMap split_below(uint64_t cut);

  bool empty() const { return pieces_.empty(); }
  size_t count() const { return pieces_.size(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t begin_offset() const { return pieces_.begin()->second.offset; }  // requires !empty()
  uint64_t end_offset() const { return pieces_.rbegin()->second.end(); }    // requires !empty()
  auto begin() const { return pieces_.begin(); }
  auto end() const { return pieces_.end(); }

 private:
  std::map<uint64_t, Piece> pieces_;
  uint64_t bytes_ = 0;
};

// What one flush has taken of an inode. Its pieces stay readable until its commit is acknowledged or it is put back.
struct FlushLayer {
  PieceMap pieces;
  uint64_t size_at_least = 0;  // the file's size grows to this with the commit; 0: does not
  Time mtime;
  uint64_t write_seq = 0;      // of the newest write in it
  bool whole_content = false;  // will be committed as inline data
  bool finished = false;       // committed or put back; guarded by the inode's mutex
  Instant since;
};

class DirtyLayer {
 public:
  bool empty() const { return pieces_.empty() && size_at_least_ == 0; }
  const PieceMap& pieces() const { return pieces_; }
  uint64_t size_at_least() const { return size_at_least_; }
  Instant since() const { return since_; }  // of its oldest byte; requires !empty()
  const std::optional<Time>& mtime() const { return mtime_; }
  void set_mtime(Time mtime) {
    if (mtime_) mtime_ = mtime;
  }  // an explicit time that was set after the writes

  // Copies data once. Small writes that continue each other share a segment, streams fill segments of up to 1 MiB.
  void write(const std::shared_ptr<BufferBudget>& budget, uint64_t offset, std::span<const uint8_t> data, Time mtime,
             Instant now);
  void grow(uint64_t size, Time mtime, Instant now);  // the size becomes at least this, without bytes

  // Bytes that were written as one run of writes, each behind the other; 0 if there were others too.
  uint64_t stream_bytes() const { return pure_stream_ ? pieces_.bytes() : 0; }
  // An end of a write at which a stream may be cut so that at most max_bytes are taken, if that gives at least
  // min_bytes: a multiple of stripe_bytes behind the start where there is one.
  std::optional<uint64_t> stream_cut(uint64_t min_bytes, uint64_t max_bytes, uint64_t stripe_bytes) const;

  // Takes everything, or what lies below cut. The layer's write_seq is the caller's to set.
  std::shared_ptr<FlushLayer> take();
  std::shared_ptr<FlushLayer> take_below(uint64_t cut);
  // What a flush could not commit, below newer bytes. `newer` are the flushing layers that were taken after it.
  void put_back(const FlushLayer& layer, std::span<const std::shared_ptr<FlushLayer>> newer);

  void truncate(uint64_t size);  // drops bytes behind it, and a growth beyond it
  void erase(uint64_t from, uint64_t to) {
    pieces_.erase(from, to);
    pure_stream_ = false;
  }
  void clear();

 private:
  struct Boundary {
    uint64_t end = 0;
    Instant at;
  };
  void note_boundary(uint64_t end, Instant now);
  uint32_t next_capacity(uint64_t remaining) const;

  PieceMap pieces_;
  uint64_t size_at_least_ = 0;
  std::optional<Time> mtime_;
  Instant since_;
  // The segment that the next write may fill further, if it continues the last one.
  std::shared_ptr<Segment> open_;
  uint32_t open_used_ = 0;
  uint64_t run_end_ = 0;    // where the last write ended
  uint64_t run_bytes_ = 0;  // of the run of continuing writes, flushed ones included
  bool pure_stream_ = true;
  std::vector<Boundary> boundaries_;  // ends of writes, ascending, at most two for each 64 KiB
  uint64_t boundary_base_ = 0;        // where the run began
};

}  // namespace cairn
