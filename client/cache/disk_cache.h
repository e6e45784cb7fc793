// The block cache's second tier: pieces of stripes in files of a local directory, kept over restarts of the mount.
//
//   admit --worth it?--> queue (bounded) --writer's thread--> active segment --full--> sealed --bound, keep_free-->
//   gone read:  queue, else index --> segment --> checksum --> the caller's buffer; anything else is "not here"
//
// - It may be lost, damaged, full or slow at any time: that costs time and never an answer. Nothing is believed
//   unverified, so nothing is synced; what no checksum vouches for is dropped and fetched from the servers again.
// - A piece has one content for ever, so nothing ever has to be invalidated.
// - Segments go as a whole, the one whose pieces were used longest ago first. While it is full, a newcomer must have
// been
//   used more often than that one's pieces were in the mean (admission.h).
// - A disk that fails or fills up is left alone for 1 s, then twice as long each time, up to a minute; the log says so
// once.
//
// Any thread. The mutex is a leaf and not held across disk I/O. Sizes in bytes. Not here: memory (block_cache.h), who
// else may use the directory (cache_directory.h), the bytes of the files (cache_record.h).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "client/cache/cache_admission.h"
#include "client/cache/cache_segment.h"
#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/base/thread.h"

namespace cairn {

enum class DiskCacheState : uint8_t { good, full, failed };  // full: the filesystem, nothing is written just now
const char* name_of(DiskCacheState state);

struct DiskCacheStatus {
  DiskCacheState state = DiskCacheState::good;
  uint64_t limit_bytes = 0, used_bytes = 0, entries = 0, segments = 0;
  uint64_t queued_bytes = 0;            // not written yet
  uint64_t hits = 0, misses = 0;        // of pieces
  uint64_t admitted = 0, rejected = 0;  // rejected: less wanted than what is there
  uint64_t dropped = 0;                 // the disk was behind, or did not work
  uint64_t evicted = 0, bad = 0;        // bad: damaged or vanished, and fetched again
  std::string trouble;                  // why it is not used just now; empty: it works
};

class DiskCache {
 public:
  struct Options {
    std::string directory;
    uint64_t limit_bytes = 0;      // of all files; at least kLeastBytes
    uint64_t keep_free_bytes = 0;  // of the directory's filesystem
    Incarnation incarnation{};     // records of another database are not for us
    uint64_t most_entries = 2u << 20;
    uint64_t queue_bytes = 64u << 20;
  };
  static constexpr uint64_t kLeastBytes = 4u << 20;

  // Reads what an earlier mount left: an index for each segment, or its headers. An error: the directory cannot be
  // used.
  static Result<std::unique_ptr<DiskCache>> open(Disk& disk, Clock& clock, Options options);
  ~DiskCache() { stop(); }
  void stop();  // writes what is queued, if the disk takes it

  // True: `out`, of the piece's length, holds the piece, verified. Counts as a use.
  bool read(const PieceKey& key, std::span<uint8_t> out);
  // The bytes [from, to) of the stripe were used without asking here: what is hot in memory should stay here.
  void note_use(ChunkId chunk, uint64_t place, uint64_t from, uint64_t to);

  enum class Wish : uint8_t {
    if_worth,  // waits for room in the queue for a moment, then leaves it
    must,      // waits for as long as the disk works, and pushes out what is used less recently
  };
  // Keeps the piece, whose bytes `owner` keeps alive and nobody changes. True: it is or will be there.
  bool admit(const PieceKey& key, std::shared_ptr<const void> owner, std::span<const uint8_t> piece, Wish wish);
  bool takes_more() const;  // the disk works and the queue is not half full: worth preparing something

  void clear();
  DiskCacheStatus status() const;

 private:
  struct Where {
    uint32_t segment = 0;
    uint32_t offset = 0;  // of the piece in its file
    uint32_t length = 0;
    uint32_t checksum = 0;
    bool operator==(const Where&) const = default;
  };
  struct Segment {
    std::shared_ptr<CacheSegment> file;
    std::vector<PieceKey> keys;
    uint64_t bytes = 0;    // of the file
    uint64_t used = 0;     // the turn of its latest use
    uint64_t hits = 0;     // since it was made; halved when they have kept out as many as the cache holds
    uint64_t refused = 0;  // newcomers, since hits was halved
  };
  struct Queued {
    std::shared_ptr<const void> owner;
    std::span<const uint8_t> piece;
  };
  // Leaves a disk alone that did not work.
  struct Trouble {
    std::string what;  // empty: none
    bool no_space = false;
    Duration pause{};
    Instant until{};
    bool may_try(Instant now) const { return what.empty() || now >= until; }
    bool met(Instant now, const Error& error);  // true: it is new, and worth a line in the log
  };
  struct Batch {
    std::vector<CacheSegment::Outgoing> records;
    std::vector<std::shared_ptr<const void>> owners;
    uint64_t generation = 0;
    uint64_t bytes() const;  // on the disk, with their part of an index
  };

  DiskCache(Disk& disk, Clock& clock, Options options);
  Status load();
  void load_segment(const std::string& path);
  bool over_limit(uint64_t bytes) const;
  std::map<uint32_t, Segment>::iterator victim();
  void take_out(std::map<uint32_t, Segment>::iterator segment);  // of the tables; the file is its caller's
  std::string evict_one();                                       // the path of the file to remove
  void remove_file(const std::string& path);
  void used(const PieceKey& key);
  bool worth_it(const PieceKey& key);
  bool queue_full(size_t bytes) const { return queued_bytes_ + bytes > options_.queue_bytes; }
  bool unqueue(const PieceKey& key);
  void drop_bad(const PieceKey& key, const Where& where, const Error& error);

  // disk_cache_writer.cc
  void write_loop();
  Batch take_batch();
  void write(Batch& batch);
  Status store(Batch& batch);
  Status make_room(uint64_t bytes);
  Result<std::shared_ptr<CacheSegment>> segment_for(uint64_t bytes);
  Result<std::shared_ptr<CacheSegment>> start_segment();
  void drop_vanished();
  void publish(const Batch& batch, uint64_t at);
  void give_up(const Batch& batch);

  Disk& disk_;
  Clock& clock_;
  const Options options_;
  const uint64_t segment_bytes_;
  LogLimit bad_lines_;
  uint64_t next_name_ = 1;  // of a file. Used by the writer's thread only, as the next
  uint32_t active_ = 0;     // segment that is appended to; 0: none

  mutable Mutex mutex_;
  CondVar work_, room_;
  std::unordered_map<PieceKey, Where, PieceKeyHash> index_;  // guarded by mutex_, as the rest
  std::map<uint32_t, Segment> segments_;                     // by id, in the order in which they were made
  uint32_t next_id_ = 1;
  uint64_t used_bytes_ = 0;
  std::unordered_map<PieceKey, Queued, PieceKeyHash> queued_;
  std::deque<PieceKey> queue_;  // the order of queued_
  uint64_t queued_bytes_ = 0;
  Admission admission_;
  uint64_t turn_ = 0;
  bool short_of_space_ = false;  // the filesystem, so that room is made by eviction before limit_bytes is reached
  Trouble reading_, writing_;
  DiskCacheStatus counts_;
  uint64_t generation_ = 0;  // raised by clear()
  bool stopping_ = false;
  Thread writer_;
};

}  // namespace cairn
