#include "client/jobs/job_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "common/base/thread.h"
#include "common/rpc/task_worker_client.h"
#include "common/tasks/operator.h"

namespace cairn {
namespace {

constexpr uint32_t kResultsPerCall = 1024;  // the metaserver sends fewer where they are large
constexpr Duration kAskAgain = 500ms;

// The partials of a job's tasks, one after the other. One that its worker does not have any more is lost, and so are
// those of a worker that could not be reached for a while; all that are lost are told at the end, so that they are made
// again at once.
class Fetcher {
 public:
  Fetcher(const ResultSources& from, JobId job, const MergeHooks& hooks) : from_(from), job_(job), hooks_(hooks) {}

  // Nothing: it is lost.
  Result<std::optional<std::string>> fetch(TaskResult result) {
    if (!result.spooled) return std::optional(std::move(result.partial));
    while (!is_given_up(result.server)) {
      if (hooks_.cancelled && hooks_.cancelled()) return Error{Errc::interrupted, "the merge was cancelled"};
      Result<std::string> fetched = fetch_partial(from_.network, from_.clock, job_, result);
      if (fetched.ok()) return std::optional(std::move(*fetched));
      why_ = fetched.error().what;
      if (fetched.code() == Errc::not_found || fetched.code() == Errc::corrupt) break;
      give_up_.try_emplace(result.server, from_.clock.now() + hooks_.patience);
      pause();
      // The worker may have another address now, or the result be one of another worker.
      ASSIGN(const JobResults page, from_.meta.job_results(job_, result.task, 1));
      if (page.results.empty() || page.results.front().task != result.task) break;
      result = page.results.front();
    }
    lost_.push_back({job_, result.task, result.attempt});
    return std::optional<std::string>();
  }
  // busy: some were lost, and the metaserver knows.
  Status end() {
    for (const LostResult& one : lost_) TRY(from_.meta.lost_result(one));
    if (lost_.empty()) return {};
    return {Errc::busy, fmt::format("{}; what is lost ({} in all) is made again", why_, lost_.size())};
  }

 private:
  bool is_given_up(ServerId server) const {
    const auto found = give_up_.find(server);
    return found != give_up_.end() && from_.clock.now() >= found->second;
  }
  void pause() {
    Mutex mutex;
    CondVar nothing;
    Lock lock(mutex);
    (void)nothing.wait_until(lock, from_.clock.now() + std::min(kAskAgain, hooks_.patience));
  }

  const ResultSources& from_;
  const JobId job_;
  const MergeHooks& hooks_;
  std::vector<LostResult> lost_;
  std::map<ServerId, Instant> give_up_;  // of workers that could not be reached
  std::string why_;                      // the last one was not to be had
};

}  // namespace

Result<tasks::Table> merge_results(const ResultSources& from, JobId job, const JobView& view, const MergeHooks& hooks) {
  const tasks::Operator& op = *view.op;
  const std::unique_ptr<tasks::Partial> all = op.empty();
  Fetcher fetcher(from, job, hooks);
  for (uint32_t next = 0;;) {
    ASSIGN(const JobResults page, from.meta.job_results(job, next, kResultsPerCall));
    for (const TaskResult& result : page.results) {
      if (hooks.cancelled && hooks.cancelled()) return {Errc::interrupted, "the merge was cancelled"};
      ASSIGN(const std::optional<std::string> bytes, fetcher.fetch(result));
      if (!bytes) continue;
      ASSIGN(const std::unique_ptr<tasks::Partial> one, tasks::decode_partial(op, *bytes));
      TRY(all->merge(*one));
      if (hooks.taken) hooks.taken(bytes->size());
    }
    if (page.complete) break;
    if (page.next <= next)
      return {Errc::invalid, fmt::format("job {}: the metaserver gives no results from task {} on", raw(job), next)};
    next = page.next;
  }
  TRY(fetcher.end());
  return all->finish();
}

std::string text_of(const tasks::Table& table, TableFormat format) {
  return format == TableFormat::json_lines ? to_json_lines(table) : to_csv(table);
}

}  // namespace cairn
