// One command at work: the rows that it looks at, the time it happens, and what it has changed so far.
//
//   operation.directory(parent)  -> the inode's row, the same pointer each time, changed in place
//   operation.touch(row)         -> it has a new version and will be written
//   operation.settle()           -> inodes, counters and live bytes become rows of the transaction
//
// An operation that fails is thrown away with whatever it changed: apply() rolls the transaction back.
// Errors `corrupt` and `io` mean that the store failed, and stop the process; no operation answers them to a client.
#pragma once

#include <map>

#include "metaserver/state/command.h"
#include "metaserver/state/extent_map.h"

namespace cairn {

class Operation {
 public:
  // The transaction outlives it. session 0: the metaserver's own.
  Operation(Transaction& transaction, LogIndex at, SessionId who, int64_t when_ns);

  Transaction& rows;
  const LogIndex index;
  const SessionId session;
  const int64_t wall_ns;
  Time now() const;
  BirthRow born() const { return {index}; }

  // stale_handle: it is gone. Pointers stay valid until settle().
  Result<InodeRow*> inode(InodeId id);
  Result<InodeRow*> find(InodeId id);  // null: it is gone
  // A directory that names may be put into. stale_handle, not_directory; not_found: it was removed and is only still
  // open.
  Result<InodeRow*> directory(InodeId id);
  Result<InodeRow*> regular_file(InodeId id);  // is_directory, or invalid for other kinds
  // The inode changes: new version. Changed rows must be touched, others are not written.
  void touch(InodeRow& inode) { inode.attributes.version = raw(index); }
  void touch_ctime(InodeRow& inode);   // also its ctime
  void touch_names(InodeRow& parent);  // also its mtime and ctime
  InodeRow& create(InodeRow row);      // a new one; .attributes.inode is its id
  void erase(InodeId id);              // its row is erased by settle()

  Result<queries::Counters*> counters();  // of the whole database
  Result<InodeId> next_inode();           // ids are never given twice
  SpaceLedger& ledger() { return ledger_; }
  ExtentMap extents(InodeRow& inode) { return {rows, ledger_, index, inode}; }

  Status settle();

 private:
  struct Held {
    InodeRow row;
    bool erased = false;
  };
  std::map<InodeId, Held> inodes_;
  std::optional<queries::Counters> counters_;
  SpaceLedger ledger_;
};

}  // namespace cairn
