#include "chunkserver/worker/job_cache.h"

#include <algorithm>

namespace cairn {

std::list<JobCache::Entry>::iterator JobCache::find(const Key& key) {
  return std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.key == key; });
}

Result<std::shared_ptr<const JobView>> JobCache::view(JobId job, JobPhase phase) {
  const Key key{job, phase > JobPhase::surveying};
  {
    Lock lock(mutex_);
    for (auto found = find(key); found != entries_.end(); found = find(key)) {
      if (found->view != nullptr) {
        entries_.splice(entries_.begin(), entries_, found);
        return entries_.front().view;
      }
      changed_.wait(lock);
    }
    entries_.push_front({key, nullptr});
  }
  Result<JobView> asked = view_job(meta_, job, programs_);
  Lock lock(mutex_);
  changed_.notify_all();
  const auto mine = find(key);
  if (!asked.ok()) {
    entries_.erase(mine);
    return asked.error();
  }
  mine->view = std::make_shared<const JobView>(std::move(*asked));
  const auto view = mine->view;
  while (entries_.size() > kJobs && entries_.back().view != nullptr) entries_.pop_back();
  return view;
}

}  // namespace cairn
