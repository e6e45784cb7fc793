#include "client/jobs/job_view.h"

#include <fmt/format.h>

#include "common/tasks/registry.h"

namespace cairn {
namespace {

constexpr uint32_t kFilesPerCall = 4096;

Result<JobDescription> describe(MetaClient& meta, JobId job) {
  ASSIGN(JobDescription all, meta.get_job(job, 0, kFilesPerCall));
  while (!all.complete) {
    ASSIGN(JobDescription page, meta.get_job(job, static_cast<uint32_t>(all.files.size()), kFilesPerCall));
    if (page.phase != all.phase) return describe(meta, job);  // heads may be known now: from the beginning
    if (page.files.empty() && !page.complete)
      return {Errc::invalid, fmt::format("job {}: the metaserver does not name all of its files", raw(job))};
    for (JobFile& file : page.files) all.files.push_back(std::move(file));
    all.complete = page.complete;
  }
  return all;
}

}  // namespace

Result<JobView> view_job(MetaClient& meta, JobId job, tasks::ProgramRunner& programs) {
  JobView view;
  ASSIGN(view.about, describe(meta, job));
  const tasks::OperatorInfo* info = tasks::find_operator(view.about.op);
  if (info == nullptr)
    return {Errc::not_supported,
            fmt::format("there is no operator \"{}\" in this version of CairnFS here", view.about.op)};
  view.needs = info->needs(view.about.arguments);
  const bool surveyed = view.about.phase > JobPhase::surveying;
  if (view.needs.csv_heads && !surveyed) return view;
  tasks::Job made{view.about.op, view.about.arguments, {}};
  for (const JobFile& file : view.about.files) made.files.push_back({file.name, file.size, file.head});
  ASSIGN(std::unique_ptr<tasks::Operator> op, tasks::make_operator(made));
  op->use_programs(programs);
  view.op = std::move(op);
  return view;
}

}  // namespace cairn
