// Tells the metaserver, in batches, which inodes without a name are no longer open here, so that it may free them.
//
// Lost batches are harmless: the session's end frees the rest. Any thread.
#pragma once

#include <vector>

#include "client/statistics.h"
#include "common/base/thread.h"
#include "common/rpc/meta_client.h"

namespace cairn {

class OrphanReaper {
 public:
  OrphanReaper(MetaClient& meta, Clock& clock, Statistics& statistics);
  ~OrphanReaper() { stop(); }
  void forget(InodeId inode);
  Status flush();  // tells all of them now
  void stop();

 private:
  void loop();
  Status tell(std::vector<InodeId> inodes);

  MetaClient& meta_;
  Clock& clock_;
  Statistics& statistics_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<InodeId> waiting_;  // guarded by mutex_, as the rest
  Instant tell_at_ = Instant::never();
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace cairn
