// Jobs and their tasks as tables for people and as JSON for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/meta/jobs.h"
#include "common/rpc/meta_client.h"

namespace cairn::tools {

nlohmann::ordered_json to_json(const JobStatus& status);
// All tasks of a job that has been cut.
Result<std::vector<TaskInfo>> fetch_tasks(MetaClient& meta, JobId job);
// {"job": 7, "tasks": [...]}, or a table with a line of sums.
std::string text_of(JobId job, const std::vector<TaskInfo>& tasks, bool as_json);

std::string server_text(ServerId server);  // "3", or "-" for none

}  // namespace cairn::tools
