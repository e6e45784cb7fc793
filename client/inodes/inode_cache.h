// What the client knows and holds of one inode, and the bounded table of all of them.
//
// An Inode lives while something refers to it (an open handle, dirty data, a call) and, beyond that, as long as the
// table has room. Its mutex guards everything but id; it is never held across a call to a server or a wait other than
// its own.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "client/inodes/layout_cache.h"
#include "client/read/sequential_detector.h"
#include "client/sessions/inode_lease.h"
#include "client/write/write_buffer.h"
#include "common/base/thread.h"
#include "common/meta/attributes.h"

namespace cairn {

// Of inodes whose bytes were read or written: not made for those that are only looked at.
struct FileState {
  DirtyLayer dirty;
  std::vector<std::shared_ptr<FlushLayer>> flushing;  // oldest first
  LayoutCache layout;
  SequentialDetector detector;

  // A call that changes size or extents directly (truncate, trim) has the inode: no flush may be taken, writers and
  // fetched layouts wait. It begins only when nothing is flushing.
  bool changing = false;
  bool registered = false;  // in the flusher's list of dirty inodes
  bool stream_queued = false;

  uint64_t write_seq = 0;      // of the newest buffered write
  uint64_t taken_seq = 0;      // the newest that a flush took
  uint64_t committed_seq = 0;  // everything up to here is committed
  uint64_t failures = 0;       // of flushes, ever
  Error failure{};             // of the last one that failed
  bool failing = false;        // the last flush failed: its data is still buffered
  bool failure_told = false;   // somebody was told of `failure`
  uint64_t losses = 0;         // how often buffered data had to be dropped
  Error loss{};
  uint64_t losses_synced = 0;  // told by sync()

  // The committed end of a file that is appended to, from a multiple of 64 KiB or later: what the next append's flush
  // writes again.
  std::shared_ptr<const std::vector<uint8_t>> tail;
  uint64_t tail_offset = 0;
  uint32_t tail_extents = 0;  // in the last 64 KiB unit, about
};

struct Inode {
  explicit Inode(InodeId the_id) : id(the_id) {}
  const InodeId id;
  Mutex mutex;
  CondVar changed;  // a flush ended, a change ended, an error

  Attributes attributes;  // as committed; valid beyond generation and class only if attributes_known
  bool attributes_known = false;
  uint64_t changed_at =
      0;  // of ClientContext::changes, when our own calls last changed them: an older answer is not cached
  uint32_t open_handles = 0;
  uint32_t writable_handles = 0;
  InodeLease lease;
  bool orphan = false;     // its last name is gone; this mount must say when it is no longer open
  bool forgotten = false;  // told
  bool said_open = false;  // when another mount took its last name: to be forgotten when it is closed
  bool no_xattrs = false;  // known to have none, while it is trusted

  FileState& file() {
    if (!file_) file_ = std::make_unique<FileState>();
    return *file_;
  }
  const FileState* file_if() const { return file_.get(); }
  FileState* file_if() { return file_.get(); }

  bool dirty() const;                               // something is buffered that no commit has taken
  uint64_t size() const;                            // with what is buffered
  Attributes overlaid(Attributes committed) const;  // the same, with what is buffered
  // A newer answer of the metaserver, also if it is not to be cached.
  void learn(const Attributes& answer, bool cache);

 private:
  std::unique_ptr<FileState> file_;
  friend class InodeTable;
  std::list<std::shared_ptr<Inode>>::iterator recency_;  // guarded by the table's mutex
};

class InodeTable {
 public:
  explicit InodeTable(size_t limit) : limit_(limit) {}
  std::shared_ptr<Inode> get(InodeId id);   // made if it is not there
  std::shared_ptr<Inode> find(InodeId id);  // or null
  std::vector<std::shared_ptr<Inode>> all() const;
  size_t size() const;

 private:
  const size_t limit_;
  mutable Mutex mutex_;  // a leaf
  std::unordered_map<InodeId, std::shared_ptr<Inode>> inodes_;
  std::list<std::shared_ptr<Inode>> recent_;  // most recently used first
};

}  // namespace cairn
