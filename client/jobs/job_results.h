// The results of a job's tasks, fetched, merged and finished: the last step of a job, done by its submitter or by the
// worker that writes its output. The same bytes whoever does it, and in whatever order results come.
#pragma once

#include <functional>
#include <string>

#include "client/jobs/job_view.h"
#include "common/base/network.h"
#include "common/tasks/operator.h"

namespace cairn {

struct MergeHooks {
  Duration patience = std::chrono::seconds(10);    // with each worker that cannot be reached; then its results are lost
  std::function<bool()> cancelled = {};            // looked at between two results; may be empty
  std::function<void(uint64_t bytes)> taken = {};  // each result's bytes; may be empty
};

// Where results come from: the metaserver, and the workers that keep large ones.
struct ResultSources {
  MetaClient& meta;
  Network& network;
  Clock& clock;
};
// Requires view.op. The result goes to the sink, piece by piece; after an error what it got is worth nothing. invalid:
// what is wrong with the input, with file and offset. interrupted: cancelled. busy: results were lost with their
// workers; the metaserver knows, and has them made again. stale_handle: the same of a job that is over.
Status merge_results(const ResultSources& from, JobId job, const JobView& view, TableFormat format,
                     const tasks::TextSink& sink, const MergeHooks& hooks = {});
// The same in memory, of operators whose result is a table (not of those with Needs::runs).
Result<tasks::Table> merged_table(const ResultSources& from, JobId job, const JobView& view,
                                  const MergeHooks& hooks = {});

}  // namespace cairn
