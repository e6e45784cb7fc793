#include "metaserver/ops/jobs.h"

#include <algorithm>

namespace cairn::ops {

Result<std::optional<JobAtWork>> JobAtWork::find(Operation& operation, JobId job) {
  auto record = queries::job(operation.rows, job);
  if (!record.ok() && record.code() == Errc::not_found) return std::optional<JobAtWork>();
  if (!record.ok()) return record.error();
  return std::optional<JobAtWork>(std::in_place, operation, std::move(*record));
}

void JobAtWork::put() { operation_.rows.put(keys::job_state(id()), encode_row(state())); }

Status JobAtWork::planned() {
  state().phase = JobPhase::surveying;
  if (state().to_survey == 0) return surveyed();
  put();
  return {};
}

Status JobAtWork::surveyed() {
  state().phase = JobPhase::mapping;
  if (state().tasks == 0) return mapped();
  put();
  return {};
}

Status JobAtWork::mapped() {
  if (!row().output) return end(JobPhase::done);
  state().phase = JobPhase::merging;
  put();
  return {};
}

Status JobAtWork::end(JobPhase phase, std::optional<Error> failure) {
  state().phase = phase;
  state().failure = std::move(failure);
  state().over_ns = operation_.wall_ns;
  put();
  return change_live_jobs(operation_, [&](JobsRow& row) {
    std::erase_if(row.live, [&](const LiveJob& live) { return live.job == id(); });
  });
}

void JobAtWork::count(ServerId server, const TaskCounters& counters) {
  state().counters += counters;
  auto& all = state().servers;
  auto at = std::ranges::lower_bound(all, server, {}, &JobTally::server);
  if (at == all.end() || at->server != server) at = all.insert(at, JobTally{server, 0, {}});
  ++at->tasks;
  at->counters += counters;
}

}  // namespace cairn::ops
