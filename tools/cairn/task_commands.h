// The subcommands of `cairn task` that speak to a cluster.
#pragma once

#include "tools/cairn/command_line.h"

namespace cairn::tools {

void add_task_run(CLI::App& task, int& exit_code);   // task_run.cc
void add_task_jobs(CLI::App& task, int& exit_code);  // task_jobs.cc: list, show, plan, report, result, cancel

}  // namespace cairn::tools
