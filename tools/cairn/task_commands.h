// The subcommands of `cairn task` that speak to a cluster.
#pragma once

#include "tools/cairn/command_line.h"

namespace cairn::tools {

void add_task_run(CLI::App& task, int& exit_code);  // run, plan: task_run.cc
void add_task_partition(CLI::App& task, int& exit_code);
void add_task_jobs(CLI::App& task, int& exit_code);  // list, show, report, result, cancel: task_jobs.cc

}  // namespace cairn::tools
