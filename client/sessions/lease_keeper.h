// The leases of this mount: whether what it knows of an inode is true, getting the right to buffer, giving leases back.
//
//   sole mount   everything is true while the session certainly lives (session_keeper.h)
//   others       an inode's lease says it (inode_lease.h): `trusted` for programs' calls, `holds` for our own flushes,
//                which go on while a lease is being recalled
//
// The order of giving back [L4]: calls that acquired it end; the kernel drops its pages, and writes back dirty ones;
// what is buffered is committed; what is cached is forgotten, and noted in the log; the metaserver is told. A
// page that the kernel waits for is never waited for by the recall: docs/coherence.md says how.
//
// Any thread. Recalls are worked on by threads of their own, which no call waits for.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "client/inodes/inode_cache.h"
#include "client/inodes/name_cache.h"
#include "client/sessions/lease_log.h"
#include "client/sessions/session_keeper.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class LeaseKeeper {
 public:
  struct Hooks {
    // Commits what is buffered of the inode.
    std::function<Status(const std::shared_ptr<Inode>&)> store;
    // The kernel drops the pages of a range, having written back dirty ones. May wait for pages that are being read.
    std::function<void(InodeId, PageRange)> drop_pages;
    std::function<void(Inode&)> forget;  // with the inode's mutex: attributes, names and layout are not known any more
  };
  LeaseKeeper(MetaClient& meta, Clock& clock, SessionKeeper& session, InodeTable& inodes, Duration io_timeout,
              Hooks hooks);
  ~LeaseKeeper() { stop(); }
  void start(uint32_t threads);
  void begin_stop();
  void stop();

  // --- with the inode's mutex ---
  bool trusted(const Inode& inode) const;
  bool holds(const Inode& inode) const;
  bool may_buffer(const Inode& inode) const;  // bytes may be added to its dirty layer
  // When an answer was asked for.
  struct Asked {
    uint64_t leases = 0;  // changes of leases so far
    uint64_t trust_epoch = 0;
  };
  Asked asking() const { return {log_.now(), session_.trust_epoch()}; }
  // A lease came with an answer (MetaClient's `leased`). True: it is ours, and the answer may be kept.
  bool take(Inode& inode, const Asked& asked, uint64_t leased, InodeLease::Held kind = InodeLease::Held::read);
  // An answer to a call that looks: it came with a lease, or there was one all the time.
  bool keep(Inode& inode, const Asked& asked, uint64_t leased, InodeLease::Held kind = InodeLease::Held::read);
  // An answer to a change of ours.
  bool may_keep(const Inode& inode, const Asked& asked) const;
  bool may_keep_for_recall(const Inode& inode, const Asked& asked) const;  // by what a recall waits for
  void wait_for_recall(Inode& inode, Lock& lock) const;  // also for one that waits for calls under way

  // --- without it ---
  // The right to buffer writes, or to change size and extents; unpin() when that is done. The sole mount has it.
  Status acquire_write(Inode& inode);
  static void unpin(Inode& inode);
  // A READ that fills pages of the kernel begins: they stay true until they are dropped. Ended by nothing: a recall
  // meets the locked page. for_writing: a mapping may write to them unseen.
  Status begin_fill(Inode& inode, PageRange range, bool for_writing);
  void drop_pages(Inode& inode);
  void drop_all_pages();

  void recalled(const Lease& lease);  // an event: it is worked on in the background
  // The sole mount is not alone any more: every inode that is open or dirty gets a lease of its own.
  void lease_what_is_in_use();
  // The metaserver has restarted and knows no leases. sole: of the tree.
  Status reclaim(bool sole);
  void forget_all();  // leases that the metaserver has forgotten, or of a session that is gone

 private:
  // Asks the metaserver once, without the inode's mutex, which `lock` holds. False: the lease was not to be had, or is
  // wanted back already. io: the call failed.
  Result<bool> ask_for(Inode& inode, Lock& lock, InodeLease::Held kind);
  void loop();
  void give_back(const Lease& recall);
  void flush_before_giving_back(const std::shared_ptr<Inode>& inode);
  bool stopped() const;
  // Each attempt may already have waited as long as a dead mount lives.
  Instant give_up_at() const { return clock_.now() + 3 * io_timeout_; }

  MetaClient& meta_;
  Clock& clock_;
  SessionKeeper& session_;
  InodeTable& inodes_;
  const Duration io_timeout_;
  const Hooks hooks_;
  LeaseLog log_;
  mutable Mutex mutex_;
  CondVar work_;
  std::deque<Lease> queue_;  // guarded by mutex_, as the rest
  bool stopping_ = false;
  std::vector<Thread> threads_;
};

// A write lease that was acquired, until its use is over.
class Pinned {
 public:
  explicit Pinned(Inode& inode) : inode_(inode) {}
  ~Pinned() { LeaseKeeper::unpin(inode_); }
  Pinned(const Pinned&) = delete;

 private:
  Inode& inode_;
};

// While a call of ours changes inodes at the metaserver, what is cached of them is not shown to other calls: it may be
// old or new.
class OwnChange {
 public:
  OwnChange(InodeTable& inodes, std::initializer_list<InodeId> changed);
  ~OwnChange();
  OwnChange(const OwnChange&) = delete;

 private:
  std::vector<std::shared_ptr<Inode>> changed_;
};

}  // namespace cairn
