// Who flushes when: age, size, pressure, and whoever asks for it.
//
//   fsync       flushes in the caller's thread; small flushes of the same moment share one stripe and one commit (a
//   lane's leader
//               takes all who wait)
//   streams     every few MiB of a run of writes, appended while the flush before is synced and committed
//   age         nothing stays dirty longer than flush_after
//   pressure    more than half of the memory for writes is held
//
// A lane is a storage class and kind of chunk; one thread at a time has its turn to append. Any thread may call. The
// mutex is a leaf (taken under an inode's). Not here: what one flush does (flush_job.h).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "client/write/flush_job.h"

namespace cairn {

class Flusher {
 public:
  Flusher(ClientContext& context, ChunkPool& pool, ReadPath& reader);
  ~Flusher() { stop(); }
  void start(uint32_t threads);
  void stop();  // without flushing; waits for flushes under way

  // After a write to the inode, without its mutex: streams and pressure.
  void wrote(const std::shared_ptr<Inode>& inode);
  // With the inode's mutex: its dirty data is flushed when it is old enough.
  void register_dirty(const std::shared_ptr<Inode>& inode);

  // Returns when everything that was written before the call is committed, or an error that says why it is not.
  Status sync(const std::shared_ptr<Inode>& inode);
  Status sync_all();
  // The same for those who cannot tell the programs: what fails stays buffered until one of them knows.
  Status store_all();
  Status store(const std::shared_ptr<Inode>& inode);

 private:
  struct Request {
    std::shared_ptr<Inode> inode;
    bool waiting = true;  // nobody has taken it yet; guarded by mutex_
  };
  struct Lane {
    bool busy = false;  // somebody has the turn; guarded by mutex_, as the rest
    std::deque<std::shared_ptr<Request>> requests;
    CondVar changed;
  };
  using LaneKey = std::pair<ClassId, ChunkKind>;

  void loop();
  Lane& lane(ClassId storage_class, ChunkKind kind);  // mutex_ held
  // Makes class, generation and the place of the content known. not_found: the inode is gone and its dirty data with
  // it. False: a call changes the inode now, and registers it again when it ends.
  Result<bool> prepare(const std::shared_ptr<Inode>& inode);
  Result<Taken> take_known(const std::shared_ptr<Inode>& inode, TakeRule rule, FlushFile& file);
  void flush_alone(const std::shared_ptr<Inode>& inode, bool everything);  // as a stream
  void flush_shared(const std::shared_ptr<Inode>& inode);                  // with others, when the lane's turn comes
  void lead(ClassId storage_class, Lane& lane);                            // has the turn, gives it back
  void finished(const FlushJob& job);
  void dispatch_due(Lock& lock);
  void queue_shared(const std::shared_ptr<Inode>& inode, ClassId storage_class);  // mutex_ held
  void give_up(const std::shared_ptr<Inode>& inode);
  void note_told(const std::shared_ptr<Inode>& inode);
  Status store_all(std::vector<std::shared_ptr<Inode>>& failed);
  void note_failure(const std::shared_ptr<Inode>& inode, const Error& error);

  ClientContext& context_;
  ChunkPool& pool_;
  ReadPath& reader_;
  Mutex mutex_;
  CondVar work_;
  std::map<LaneKey, std::unique_ptr<Lane>> lanes_;                     // guarded by mutex_, as the rest
  std::deque<std::shared_ptr<Inode>> streams_;                         // enough for a flush of their own
  std::map<std::pair<Instant, InodeId>, std::shared_ptr<Inode>> due_;  // registered dirty inodes
  bool pressure_ = false;
  bool stopping_ = false;
  std::vector<Thread> threads_;
};

}  // namespace cairn
