#include "client/jobs/job_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "client/jobs/run_results.h"
#include "common/base/thread.h"
#include "common/rpc/task_worker_client.h"
#include "common/tasks/operator.h"

namespace cairn {
namespace {

constexpr uint32_t kResultsPerCall = 1024;  // the metaserver sends fewer where they are large
constexpr Duration kAskAgain = 500ms;

// The results of a job's tasks, one after the other. One that its worker does not have any more is lost, and so are
// those of a worker that could not be reached for a while; all that are lost are told at the end, so that they are made
// again at once.
class Fetcher {
 public:
  Fetcher(const ResultSources& from, JobId job, const MergeHooks& hooks, bool with_runs)
      : from_(from), job_(job), hooks_(hooks), with_runs_(with_runs), workers_(from.network, from.clock, job) {}

  // The partial. Nothing: it is lost.
  Result<std::optional<std::string>> fetch(TaskResult result) {
    if (!result.spooled) return std::optional(std::move(result.partial));
    return ask(std::move(result), [this](const TaskResult& where) { return partial(where); });
  }
  // A part of a task's runs. busy: it is lost.
  Result<std::string> read(uint32_t task, uint64_t offset, uint32_t bytes) {
    const auto found = kept_.find(task);
    if (found == kept_.end() || offset > found->second.spooled->bytes || bytes > found->second.spooled->bytes - offset)
      return Error{Errc::corrupt, fmt::format("a run of task {} is not where its partial says", task)};
    ASSIGN(std::optional<std::string> got,
           ask(found->second, [&](const TaskResult& where) { return workers_.range(where, offset, bytes); }));
    if (!got) return Error{Errc::busy, why_};
    if (hooks_.taken) hooks_.taken(bytes);
    return *std::move(got);
  }
  // busy: some were lost, and the metaserver knows.
  Status end() {
    for (const LostResult& one : lost_) TRY(from_.meta.lost_result(one));
    if (lost_.empty()) return {};
    return {Errc::busy, fmt::format("{}; what is lost ({} in all) is made again", why_, lost_.size())};
  }

 private:
  // What `get` gives of the result, from wherever it is kept now. Nothing: it is lost.
  template <typename Get>
  Result<std::optional<std::string>> ask(TaskResult result, Get get) {
    while (!is_given_up(result.server)) {
      if (hooks_.cancelled && hooks_.cancelled()) return Error{Errc::interrupted, "the merge was cancelled"};
      Result<std::string> fetched = get(result);
      if (fetched.ok()) {
        if (with_runs_) kept_[result.task] = result;
        return std::optional(std::move(*fetched));
      }
      why_ = fetched.error().what;
      if (fetched.code() == Errc::not_found || fetched.code() == Errc::corrupt) break;
      give_up_.try_emplace(result.server, from_.clock.now() + hooks_.patience);
      pause();
      // The worker may have another address now, or the result be one of another worker.
      ASSIGN(const JobResults page, from_.meta.job_results(job_, result.task, 1));
      if (page.results.empty() || page.results.front().task != result.task) break;
      if (with_runs_ && kept_.contains(result.task) && page.results.front().attempt != result.attempt) break;
      result = page.results.front();
    }
    lost_.push_back({job_, result.task, result.attempt});
    return std::optional<std::string>();
  }
  Result<std::string> partial(const TaskResult& result) {
    if (!with_runs_) return workers_.all(result);
    const uint64_t bytes = result.spooled->bytes;
    const Error malformed{Errc::corrupt, fmt::format("the result of task {} does not end as it should", result.task)};
    if (bytes < kRunTrailerBytes) return malformed;
    ASSIGN(const std::string trailer, workers_.range(result, bytes - kRunTrailerBytes, kRunTrailerBytes));
    const uint64_t length = ByteReader(trailer).u64();
    if (length > std::min<uint64_t>(bytes - kRunTrailerBytes, tasks::kMaxPartialBytes)) return malformed;
    return workers_.range(result, bytes - kRunTrailerBytes - length, length);
  }
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
  const bool with_runs_;
  PartialFetcher workers_;
  std::map<uint32_t, TaskResult> kept_;  // by task: whose partial was taken, and whose runs will be read
  std::vector<LostResult> lost_;
  std::map<ServerId, Instant> give_up_;  // of workers that could not be reached
  std::string why_;                      // the last one was not to be had
};

Status merge_into(tasks::Partial& all, const tasks::Operator& op, Fetcher& fetcher, MetaClient& meta, JobId job,
                  const MergeHooks& hooks) {
  for (uint32_t next = 0;;) {
    ASSIGN(const JobResults page, meta.job_results(job, next, kResultsPerCall));
    for (const TaskResult& result : page.results) {
      if (hooks.cancelled && hooks.cancelled()) return {Errc::interrupted, "the merge was cancelled"};
      ASSIGN(const std::optional<std::string> bytes, fetcher.fetch(result));
      if (!bytes) continue;
      ASSIGN(const std::unique_ptr<tasks::Partial> one, tasks::decode_partial(op, *bytes));
      TRY(all.merge(*one));
      if (hooks.taken) hooks.taken(bytes->size());
    }
    if (page.complete) break;
    if (page.next <= next)
      return {Errc::invalid, fmt::format("job {}: the metaserver gives no results from task {} on", raw(job), next)};
    next = page.next;
  }
  return fetcher.end();
}

}  // namespace

Status merge_results(const ResultSources& from, JobId job, const JobView& view, TableFormat format,
                     const tasks::TextSink& sink, const MergeHooks& hooks) {
  Fetcher fetcher(from, job, hooks, view.needs.runs);
  MergedRuns runs([&](uint32_t task, uint64_t offset, uint32_t bytes) { return fetcher.read(task, offset, bytes); });
  const std::unique_ptr<tasks::Partial> all = view.op->empty();
  all->use_runs(runs);
  TRY(merge_into(*all, *view.op, fetcher, from.meta, job, hooks));
  Status written = all->write(sink, format == TableFormat::json_lines);
  if (!written.ok()) TRY(fetcher.end());  // what was lost says more
  return written;
}

Result<tasks::Table> merged_table(const ResultSources& from, JobId job, const JobView& view, const MergeHooks& hooks) {
  Fetcher fetcher(from, job, hooks, false);
  const std::unique_ptr<tasks::Partial> all = view.op->empty();
  TRY(merge_into(*all, *view.op, fetcher, from.meta, job, hooks));
  return all->finish();
}

}  // namespace cairn
