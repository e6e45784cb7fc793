// What a worker or a submitter must know of a job to map, merge or finish it: its description, and its operator.
#pragma once

#include <memory>

#include "common/base/result.h"
#include "common/meta/jobs.h"
#include "common/rpc/meta_client.h"
#include "common/tasks/operator.h"

namespace cairn {

struct JobView {
  JobDescription about;  // with all of its files
  tasks::Needs needs;
  std::unique_ptr<const tasks::Operator> op;  // null while heads that it needs are not known: before mapping
};

// Asks for the description, page by page. The operator refers to `programs`. not_found: the metaserver has no such job
// any more; invalid: what the operator says to its arguments and heads; not_supported: this program does not have it.
Result<JobView> view_job(MetaClient& meta, JobId job, tasks::ProgramRunner& programs);

}  // namespace cairn
