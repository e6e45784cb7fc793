// Everything that only looks at jobs: reads over one consistent view (queries.h has the rules).
#pragma once

#include "metaserver/state/job_rows.h"
#include "metaserver/state/queries.h"

namespace cairn::queries {

struct JobRecord {
  JobId job{};
  JobRow row;
  JobStateRow state;
};
// not_found: there is no such job, or it was over long ago.
Result<JobRecord> job(const StoreView& view, JobId job);
Result<std::vector<JobId>> jobs(const StoreView& view, JobId after, uint32_t limit);
Result<JobsRow> live_jobs(const StoreView& view);  // which are not over; a new row if there were never any
// What died after that time may be pinned by a job; none: nothing is.
Result<std::optional<int64_t>> oldest_pin(const StoreView& view);

Result<JobFileRow> job_file(const StoreView& view, JobId job, uint32_t file);
Result<std::vector<JobFileRow>> job_files(const StoreView& view, JobId job, uint32_t first, uint32_t limit);
// Pinned extents of a file that overlap [begin, end), ascending.
Result<std::vector<Extent>> job_extents(const StoreView& view, JobId job, uint32_t file, uint64_t begin, uint64_t end,
                                        size_t limit);
// Of each chunk that the extents name.
Result<std::vector<ChunkHolders>> job_holders(const StoreView& view, JobId job, const std::vector<Extent>& extents);
// How a window is tiled, by what the job has pinned.
Result<std::vector<HeldRange>> job_ranges(const StoreView& view, JobId job, const TaskWindow& window);
// stale_handle: the job is over, and what it had pinned may be gone.
Result<JobLayout> job_layout(const StoreView& view, JobId job, uint32_t file, uint64_t begin, uint64_t end,
                             uint32_t limit);

struct TaskRecord {
  uint32_t task = 0;
  TaskRow row;
};
Result<TaskRow> task(const StoreView& view, JobId job, uint32_t task);
Result<std::vector<TaskRecord>> tasks(const StoreView& view, JobId job, uint32_t first, uint32_t limit);
Result<std::string> partial(const StoreView& view, JobId job, uint32_t task);

// Inputs that have another version now than the pinned one, or are gone: how many, and the names of the first.
struct ChangedInputs {
  uint32_t count = 0;
  std::vector<std::string> first;
};
Result<ChangedInputs> changed_inputs(const StoreView& view, JobId job, uint32_t most_names);

}  // namespace cairn::queries
