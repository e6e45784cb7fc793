// One sync for all who wait: who leads it, who follows, and what a finished one answers.
//
//   positions   0 ........ synced ........ syncing ........ written
//                 durable     | being synced  | waits for the next sync
//
// Many callers want "everything before my position is durable" of one file (positions are its bytes) or of one
// directory (positions count the changes of its names). The first who finds no sync under way leads one, for everything
// that was written when it starts; those who come meanwhile follow, and one of them leads the next. So N waiters cost
// about two syncs. A sync that failed fails the group for good: the kernel reports a lost page once and then forgets
// it, so a later sync that "succeeds" proves nothing.
//
// SyncGroup is the pure core, without threads; SharedSync drives it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/result.h"
#include "common/base/thread.h"

namespace cairn {

class SyncGroup {
 public:
  enum class Step : uint8_t {
    done,    // already durable
    lead,    // the caller must sync now and call finished()
    follow,  // a sync is under way: ask again when it has finished
    failed,  // never: see failure()
  };
  explicit SyncGroup(uint64_t written = 0) : written_(written) {}

  // The bytes before position are written (handed to the kernel). Never goes back.
  void on_written(uint64_t position) { written_ = position > written_ ? position : written_; }
  // What a caller must do who wants everything before position durable. Requires position <= written(). After `lead` a
  // sync is under way for everything written by then.
  Step want(uint64_t position);
  // The sync that was led has ended.
  void finished(const Status& result);

  uint64_t written() const { return written_; }
  uint64_t synced() const { return synced_; }
  const std::optional<Error>& failure() const { return failure_; }

 private:
  uint64_t written_ = 0;
  uint64_t synced_ = 0;
  std::optional<uint64_t> syncing_;  // up to where the sync under way will have made durable
  std::optional<Error> failure_;
};

// Threads around a SyncGroup. Any thread; no mutex is held while a sync runs.
class SharedSync {
 public:
  explicit SharedSync(uint64_t written = 0) : group_(written) {}

  void on_written(uint64_t position);
  uint64_t advance();  // one more change; returns the new position
  // Returns when everything before position is durable, or has failed. sync_now is called by the one caller who leads.
  Status wait(uint64_t position, const std::function<Status()>& sync_now);
  Status wait_all(const std::function<Status()>& sync_now);  // for everything written so far
  uint64_t written() const;
  bool durable(uint64_t position) const;
  std::optional<Error> failure() const;
  bool dirty() const;      // something is written and not synced, and could still be
  uint64_t syncs() const;  // how many were led

 private:
  mutable Mutex mutex_;  // guards everything below
  CondVar finished_;
  SyncGroup group_;
  uint64_t led_ = 0;
};

}  // namespace cairn
