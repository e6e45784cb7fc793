// Seeing a job to its end from a command line: progress on the terminal, Ctrl-C, and its table.
#pragma once

#include <signal.h>

#include "client/jobs/job_view.h"
#include "common/tasks/table.h"
#include "tools/cairn/task_client.h"

namespace cairn::tools {

// Whether a line of progress is written to the terminal.
bool shows_progress(bool quiet);
// SIGINT and SIGTERM are blocked from now on, so that watch() can wait for them.
sigset_t block_interrupts();
// Until the job is at least so far. One of the signals in `ends` cancels it: interrupted.
Result<JobStatus> watch(JobClient& client, JobId job, JobPhase until, bool quiet, const sigset_t& ends);
// The error of a job that is over and not done.
Status check_done(const JobStatus& status);
// Of a job that is done, without an output: its results are fetched and merged here.
Result<tasks::Table> table_of(JobClient& client, JobId job);

}  // namespace cairn::tools
