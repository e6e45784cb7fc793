// What this worker knows of the jobs that it works for: asked for once, shared by all attempts.
//
// A view is kept for each job before and after its survey; the newest few stay. Any thread; no mutex is held while the
// metaserver is asked, and who comes meanwhile waits for that answer.
#pragma once

#include <list>
#include <memory>

#include "client/jobs/job_view.h"
#include "common/base/thread.h"

namespace cairn {

class JobCache {
 public:
  static constexpr size_t kJobs = 4;  // a view may have 65,536 files

  JobCache(MetaClient& meta, tasks::ProgramRunner& programs) : meta_(meta), programs_(programs) {}

  // phase: of the task that needs it. Errors are those of view_job() and are not kept.
  Result<std::shared_ptr<const JobView>> view(JobId job, JobPhase phase);

 private:
  struct Key {
    JobId job{};
    bool surveyed = false;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;
    std::shared_ptr<const JobView> view;  // null while it is asked for
  };
  std::list<Entry>::iterator find(const Key& key);  // mutex_ held

  MetaClient& meta_;
  tasks::ProgramRunner& programs_;
  Mutex mutex_;  // guards what follows
  CondVar changed_;
  std::list<Entry> entries_;  // the most recently used first
};

}  // namespace cairn
