#include "tools/cairn/job_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include "client/jobs/job_results.h"
#include "common/programs/sandboxed_runner.h"
#include "common/tasks/registry.h"
#include "tools/cairn/job_progress.h"

namespace cairn::tools {
namespace {

constexpr Duration kLookEvery = 100ms;
constexpr Duration kPatience = 120s;  // with a metaserver that does not answer

// A line on the terminal that is written over and over, or nothing.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : shown_(shows_progress(quiet)) {}
  ~ProgressLine() { show(""); }
  void show(const std::string& line) {
    if (!shown_) return;
    fmt::print(stderr, "\r\x1b[K{}", line);
    std::fflush(stderr);
  }

 private:
  const bool shown_;
};

// Waits for a signal that ends the command; true if one came.
bool ended_by_signal(const sigset_t& ends, Duration wait) {
  const timespec limit{0, static_cast<long>(wait.count())};
  return ::sigtimedwait(&ends, nullptr, &limit) > 0;
}

bool may_pass(Errc code) { return code == Errc::timed_out || code == Errc::unavailable || code == Errc::busy; }

}  // namespace

bool shows_progress(bool quiet) { return !quiet && ::isatty(STDERR_FILENO) == 1; }

sigset_t block_interrupts() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  return ends;
}

Result<JobStatus> watch(JobClient& client, JobId job, JobPhase until, bool quiet, const sigset_t& ends) {
  ProgressLine line(quiet);
  JobProgress progress;
  for (Instant answered = real_clock().now();;) {
    const Result<JobStatus> status = client.look(job);
    const Instant now = real_clock().now();
    if (status.ok()) {
      answered = now;
      if (status->phase >= until) return status;
      line.show(progress.on_status(*status, now));
    } else if (!may_pass(status.code())) {
      return status.error();
    } else if (now > answered + kPatience) {
      return Error{status.code(), fmt::format("{}; job {} goes on without this command, see: cairn task show {}",
                                              status.error().what, raw(job), raw(job))};
    } else {
      line.show("the metaserver does not answer: " + status.error().what);
    }
    if (!ended_by_signal(ends, kLookEvery)) continue;
    TRY(client.cancel(job));
    const tasks::OperatorInfo* const op = status.ok() ? tasks::find_operator(status->op) : nullptr;
    const bool changes_files = op != nullptr && op->needs({}).new_contents;
    return Error{Errc::interrupted,
                 fmt::format("job {} was cancelled; {}", raw(job),
                             changes_files ? "what its tasks have written until then stays" : "nothing of it remains")};
  }
}

Status check_done(const JobStatus& status) {
  if (status.phase == JobPhase::done) return {};
  if (status.failure) return {status.failure->code, fmt::format("job {}: {}", raw(status.job), status.failure->what)};
  return {Errc::interrupted, fmt::format("job {} was cancelled by another command", raw(status.job))};
}

Result<tasks::Table> table_of(JobClient& client, JobId job) {
  programs::SandboxedRunner programs;
  ASSIGN(const JobView view, view_job(client.meta(), job, programs));
  return merged_table({client.meta(), real_network(), real_clock()}, job, view);
}

}  // namespace cairn::tools
