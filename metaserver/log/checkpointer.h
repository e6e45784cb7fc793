// Keeps the log short: flushes the store and trims the log behind it, when the log has grown by 64 MiB or after 30 s
// with changes.
//
// The store may be ahead of its flush at any time; the log before the applied index that was read before the flush is
// then not needed any more. A flush that fails leaves the log as it is and is tried again: nothing is lost by that,
// only space. While the metadata's disk is low on space it flushes every 2 s with changes, so that the log takes
// little, and it tends the reserve (disk_reserve.h), out of which a flush that did not fit is tried once more. One
// thread of its own, which stop() ends with a last flush.
#pragma once

#include "common/base/clock.h"
#include "common/base/thread.h"
#include "metaserver/log/command_log.h"
#include "metaserver/log/committer.h"
#include "metaserver/log/disk_reserve.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

class Checkpointer {
 public:
  struct Options {
    uint64_t log_bytes = 64u << 20;  // appended since the last flush
    Duration interval = 30s;
    Duration look_every = 1s;
    Duration interval_when_low = 2s;
    DiskReserve* reserve = nullptr;  // outlives this; may be none
  };
  Checkpointer(Clock& clock, CommandLog& log, OrderedStore& store, const Committer& committer, Options options);
  ~Checkpointer();  // ends the thread without a flush, if stop() was not called
  // Ends the thread, then flushes and trims once more. After the committer has stopped.
  Status stop();

 private:
  void run();
  void end();
  Status flush_and_trim();
  Status flush();
  bool due(Instant now) const;

  Clock& clock_;
  CommandLog& log_;
  OrderedStore& store_;
  const Committer& committer_;
  const Options options_;
  LogIndex flushed_;  // by the thread, and by stop() after it has ended; so are the next two
  Instant last_flush_;
  uint64_t bytes_after_flush_;  // of the log
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ = false;  // guarded by mutex_
  Thread thread_;
};

}  // namespace cairn
