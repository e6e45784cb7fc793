#include "client/jobs/job_results.h"

#include <fmt/format.h>

#include "common/tasks/operator.h"

namespace cairn {
namespace {

constexpr uint32_t kResultsPerCall = 1024;  // the metaserver sends fewer where they are large

}  // namespace

Result<tasks::Table> merge_results(MetaClient& meta, JobId job, const JobView& view, const MergeHooks& hooks) {
  const tasks::Operator& op = *view.op;
  const std::unique_ptr<tasks::Partial> all = op.empty();
  for (uint32_t next = 0;;) {
    ASSIGN(const JobResults page, meta.job_results(job, next, kResultsPerCall));
    for (const TaskResult& result : page.results) {
      if (hooks.cancelled && hooks.cancelled()) return {Errc::interrupted, "the merge was cancelled"};
      if (result.spooled)
        return {Errc::not_supported,
                fmt::format("the result of task {} is larger than {} bytes", result.task, kMaxInlinePartial)};
      ASSIGN(const std::unique_ptr<tasks::Partial> one, tasks::decode_partial(op, result.partial));
      TRY(all->merge(*one));
      if (hooks.taken) hooks.taken(result.partial.size());
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
