#include "client/jobs/job_results.h"

#include <fmt/format.h>

#include "common/rpc/task_worker_client.h"
#include "common/tasks/operator.h"

namespace cairn {
namespace {

constexpr uint32_t kResultsPerCall = 1024;  // the metaserver sends fewer where they are large

// Of a large result that no worker has any more the metaserver is told.
Result<std::string> bytes_of_result(const ResultSources& from, JobId job, const TaskResult& result) {
  if (!result.spooled) return result.partial;
  Result<std::string> fetched = fetch_partial(from.network, from.clock, job, result);
  if (fetched.ok()) return fetched;
  TRY(from.meta.lost_result({job, result.task, result.attempt}));
  return Error{Errc::busy, fetched.error().what + "; it is made again"};
}

}  // namespace

Result<tasks::Table> merge_results(const ResultSources& from, JobId job, const JobView& view, const MergeHooks& hooks) {
  const tasks::Operator& op = *view.op;
  const std::unique_ptr<tasks::Partial> all = op.empty();
  for (uint32_t next = 0;;) {
    ASSIGN(const JobResults page, from.meta.job_results(job, next, kResultsPerCall));
    for (const TaskResult& result : page.results) {
      if (hooks.cancelled && hooks.cancelled()) return {Errc::interrupted, "the merge was cancelled"};
      ASSIGN(const std::string bytes, bytes_of_result(from, job, result));
      ASSIGN(const std::unique_ptr<tasks::Partial> one, tasks::decode_partial(op, bytes));
      TRY(all->merge(*one));
      if (hooks.taken) hooks.taken(bytes.size());
    }
    if (page.complete) return all->finish();
    if (page.next <= next)
      return {Errc::invalid, fmt::format("job {}: the metaserver gives no results from task {} on", raw(job), next)};
    next = page.next;
  }
}

std::string text_of(const tasks::Table& table, TableFormat format) {
  return format == TableFormat::json_lines ? to_json_lines(table) : to_csv(table);
}

}  // namespace cairn
