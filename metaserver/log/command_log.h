// The metaserver's log: what is synced here was promised, and is there after any crash.
//
//   DIR/log-0000000000000001   DIR/log-00000000000012f4   DIR/log-0000000000002a10      (index of the first command,
//   hex)
//   |--- whole segments, trimmed behind a flush ---------||--- appended to: one write and one fdatasync per batch ---|
//
// Only the last write can be torn, because the next begins after its sync. So bytes that are no entry, at the end of
// the last segment and with no entry behind them, were never acknowledged and are cut off; anything else refuses to
// open with a sentence that names file, offset and the mend. The log never ends up without a segment: its end is always
// known.
//
// A full disk is no failure: a batch that does not fit is refused whole (no_space), the bytes that it left are cut off
// and the cut is synced before the next one, and the log goes on. Any other failed write, and every failed sync, is
// final: what is on the disk is unknown then, and only a new start finds out.
//
// append() and begin() from one thread; trim() from one other; the rest from any.
// Not here: the bytes of a segment (log_format.h), what commands mean (command_codec.h), when to trim (checkpointer.h).
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "common/base/result.h"
#include "common/base/thread.h"
#include "metaserver/log/log_format.h"

namespace cairn {

class CommandLog {
 public:
  struct Options {
    std::string directory;               // made if it is missing
    uint64_t segment_bytes = 16u << 20;  // a segment takes no more entries once it has this size
    uint64_t seed = 0;                   // of the segments' salts
    LogIndex acknowledged{};             // of the last command that the store holds: a torn write is behind it
  };

  // Reads and checks every segment, cuts a torn tail off, and syncs what is left. corrupt: damage or a gap, see above.
  static Result<std::unique_ptr<CommandLog>> open(Disk& disk, Options options);

  // A log without any segment, as in a new directory. begin() makes the first one.
  bool empty() const;
  Status begin(Incarnation incarnation, LogIndex first);

  Incarnation incarnation() const { return incarnation_; }  // of its segments; 0 while empty
  LogIndex first() const;                            // of the oldest command that is still here, or that would be
  LogIndex last() const;                             // of the newest; first() - 1 if there is none
  uint64_t bytes() const;                            // of all segments
  uint64_t cut_bytes() const { return cut_bytes_; }  // of a torn tail, by open()

  // Calls visit for each command from this index on, in order. Before the first append.
  Status replay(LogIndex from, const VisitCommand& visit);
  // Durable on return. first must be last() + 1. no_space: nothing was logged, try again when there is room. After any
  // other error the log is failed for good.
  Status append(LogIndex first, const std::vector<std::string>& commands);
  // Removes whole segments that hold nothing behind upto; the newest segment stays.
  Status trim(LogIndex upto);

 private:
  struct Segment {
    std::string path;
    SegmentHeader header;
    LogIndex next{};  // behind its last command
    uint64_t bytes = 0;
  };
  CommandLog(Disk& disk, Options options) : disk_(disk), options_(std::move(options)) {}
  Result<std::vector<std::string>> segment_names();
  Status load(const std::string& name, bool last_file);
  Status make_durable(const Segment& newest);
  Status start_segment(LogIndex first);
  Result<std::vector<uint8_t>> read_whole(const std::string& path);
  Status write_entry(uint64_t offset, const std::string& entry);
  Status cut_tail(uint64_t offset);
  Error failed(const Error& cause);

  Disk& disk_;
  const Options options_;
  Incarnation incarnation_{};
  uint64_t cut_bytes_ = 0;
  std::unique_ptr<File> file_;  // of the newest segment; used by the appending thread, as the next
  bool tail_in_doubt_ = false;  // a refused batch may have left bytes behind the last entry
  std::atomic<bool> failed_{false};
  mutable Mutex mutex_;            // guards segments_; never held across I/O
  std::vector<Segment> segments_;  // ascending and without gaps
};

}  // namespace cairn
