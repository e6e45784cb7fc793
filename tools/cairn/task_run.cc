// cairn task run and plan: an operator on the servers of a cluster.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "client/jobs/job_results.h"
#include "common/base/config.h"
#include "common/programs/sandboxed_runner.h"
#include "tools/cairn/job_client.h"
#include "tools/cairn/job_progress.h"
#include "tools/cairn/job_tables.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/task_commands.h"
#include "tools/cairn/task_inputs.h"
#include "tools/cairn/task_operators.h"
#include "tools/cairn/text_table.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {
namespace {

constexpr Duration kLookEvery = 100ms;
constexpr Duration kPatience = 120s;  // with a metaserver that does not answer

struct RunArguments {
  std::shared_ptr<OperatorCommand> command = std::make_shared<OperatorCommand>();
  std::string metaserver, task_bytes = format_size(kDefaultTaskBytes), time_limit = format_duration(kDefaultJobTime);
  bool detach = false, quiet = false;
};

// Where the paths lie: under a mount, or (with -m) below the root of the filesystem.
struct Place {
  Address metaserver;
  std::string mountpoint;  // empty: below the root
};

Result<Place> find_place(const RunArguments& arguments) {
  if (!arguments.metaserver.empty()) {
    ASSIGN(Address address, parse_address(arguments.metaserver));
    return Place{std::move(address), ""};
  }
  ASSIGN(const MountEntry mount, mount_at_or_above(arguments.command->files.front()));
  ASSIGN(Address address, parse_address(mount.source));
  return Place{std::move(address), mount.mountpoint};
}

// Whether --out is a file of the cluster, which a worker then writes.
bool in_cluster(const TableTarget& target, const Place& place) {
  if (target.out.empty()) return false;
  if (place.mountpoint.empty()) return true;
  const Result<MountEntry> mount = mount_at_or_above(target.out);
  return mount.ok() && mount->mountpoint == place.mountpoint;
}

Result<JobOutput> output_of(const TableTarget& target, const NamedPlace& named) {
  if (named.exists && !target.force) return {Errc::exists, target.out + " exists; --force replaces it"};
  const mode_t mask = ::umask(0);
  ::umask(mask);
  JobOutput output;
  output.parent = named.parent;
  output.name = named.name;
  output.replace = target.force;
  output.format = target.json ? TableFormat::json_lines : TableFormat::csv;
  output.mode = 0666 & ~mask;
  output.uid = ::geteuid();
  output.gid = ::getegid();
  return output;
}

struct Submitted {
  JobId job{};
  bool output_in_cluster = false;
};

Result<Submitted> submit(JobClient& client, const RunArguments& arguments, const Place& place) {
  const OperatorCommand& command = *arguments.command;
  SubmitJob job;
  job.op = command.op;
  job.arguments = command.given;
  ASSIGN(job.task_bytes, parse_size(arguments.task_bytes));
  ASSIGN(const Duration limit, parse_duration(arguments.time_limit));
  job.time_limit_ms = limit / 1ms;
  std::vector<JobInput> inputs;
  const bool rooted = place.mountpoint.empty(), output_in_cluster = in_cluster(*command.target, place);
  if (!output_in_cluster) TRY(check_target(*command.target));
  if (rooted) {
    ASSIGN(inputs, inputs_from_root(client.meta(), command.files));
  } else {
    ASSIGN(inputs, inputs_under_mount(place.mountpoint, command.files));
    TRY(flush_mount(place.mountpoint));  // what was written before is in the job
  }
  if (output_in_cluster) {
    ASSIGN(const NamedPlace named,
           rooted ? place_from_root(client.meta(), command.target->out) : place_under_mount(command.target->out));
    ASSIGN(job.output, output_of(*command.target, named));
  }
  ASSIGN(const JobId id, client.submit(job, inputs));
  return Submitted{id, output_in_cluster};
}

// A line on the terminal that is written over and over, or nothing.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : shown_(!quiet && ::isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() { show(""); }
  void show(const std::string& line) {
    if (!shown_) return;
    fmt::print(stderr, "\r\x1b[K{}", line);
    std::fflush(stderr);
  }
  bool shown() const { return shown_; }

 private:
  const bool shown_;
};

// Waits for a signal that ends the command; true if one came.
bool ended_by_signal(const sigset_t& ends, Duration wait) {
  const timespec limit{0, static_cast<long>(wait.count())};
  return ::sigtimedwait(&ends, nullptr, &limit) > 0;
}

Result<JobStatus> look(JobClient& client, JobId job) {
  TRY(client.keep_alive());
  return client.meta().job_status(job);
}

bool may_pass(Errc code) { return code == Errc::timed_out || code == Errc::unavailable || code == Errc::busy; }

// Until the job is at least so far. Ctrl-C cancels it.
Result<JobStatus> watch(JobClient& client, JobId job, JobPhase until, bool quiet, const sigset_t& ends) {
  ProgressLine line(quiet);
  JobProgress progress;
  for (Instant answered = real_clock().now();;) {
    const Result<JobStatus> status = look(client, job);
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
    return Error{Errc::interrupted, fmt::format("job {} was cancelled; nothing of it remains", raw(job))};
  }
}

Status check_done(const JobStatus& status) {
  if (status.phase == JobPhase::done) return {};
  if (status.failure) return {status.failure->code, fmt::format("job {}: {}", raw(status.job), status.failure->what)};
  return {Errc::interrupted, fmt::format("job {} was cancelled by another command", raw(status.job))};
}

void tell_changes(const JobStatus& status) {
  if (status.changed_count == 0) return;
  say(fmt::format("cairn task: {} changed since the job began: {}{}. The table is of what they were then",
                  counted(status.changed_count, "file"), fmt::join(status.changed, ", "),
                  status.changed_count > status.changed.size() ? ", ..." : ""));
}

// Blocked, so that they are waited for.
sigset_t block_interrupts() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  return ends;
}

Status run(const RunArguments& arguments) {
  ASSIGN(const Place place, find_place(arguments));
  ASSIGN(JobClient client, JobClient::connect(place.metaserver));
  const sigset_t ends = block_interrupts();
  ASSIGN(const Submitted submitted, submit(client, arguments, place));
  if (arguments.detach) {
    const uint64_t job = raw(submitted.job);
    fmt::print("{}\n", job);
    say(fmt::format("job {} runs; see: cairn task show {}{}", job, job,
                    submitted.output_in_cluster ? "" : fmt::format(", its table: cairn task result {}", job)));
    return {};
  }
  ASSIGN(const JobStatus status, watch(client, submitted.job, JobPhase::done, arguments.quiet, ends));
  ::pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);  // from here on nothing is to be cancelled
  TRY(check_done(status));
  if (!submitted.output_in_cluster) {
    programs::SandboxedRunner programs;
    ASSIGN(const JobView view, view_job(client.meta(), submitted.job, programs));
    ASSIGN(const tasks::Table table, merge_results({client.meta(), real_network(), real_clock()}, submitted.job, view));
    TRY(deliver(table, *arguments.command->target));
  }
  tell_changes(status);
  if (ProgressLine(arguments.quiet).shown()) say(summary_of(status));
  return {};
}

// The metaserver cuts a job and gives it out in one go: so a plan is a job that is cancelled as soon as it is seen to
// be cut.
Status plan(const RunArguments& arguments) {
  ASSIGN(const Place place, find_place(arguments));
  ASSIGN(JobClient client, JobClient::connect(place.metaserver));
  const sigset_t ends = block_interrupts();
  ASSIGN(const Submitted submitted, submit(client, arguments, place));
  ASSIGN(const JobStatus status, watch(client, submitted.job, JobPhase::surveying, arguments.quiet, ends));
  const Status cancelled = client.cancel(submitted.job);
  if (status.failure) return check_done(status);
  TRY(cancelled);
  ASSIGN(const std::vector<TaskInfo> tasks, fetch_tasks(client.meta(), submitted.job));
  fmt::print("{}", text_of(submitted.job, tasks, arguments.command->target->json));
  return {};
}

constexpr const char* kFilesHelp = "Files, directories and globs of one mount; with -m, from the root";

CLI::App* add_place(CLI::App* command, RunArguments& arguments) {
  command
      ->add_option("-m,--metaserver", arguments.metaserver,
                   "The cluster, without a mount; --out too counts from the root")
      ->type_name("HOST:PORT");
  command
      ->add_option("--task-bytes", arguments.task_bytes, "About so many bytes a task; any size gives the same result")
      ->type_name("BYTES")
      ->capture_default_str();
  command->add_flag("--quiet", arguments.quiet, "No progress on the terminal");
  return command;
}

void add_plan(CLI::App& task, int& exit_code) {
  CLI::App* planning = task.add_subcommand("plan", "Where the tasks of an operator would run, and what would travel");
  planning->require_subcommand(1);
  planning->footer(
      "The job is pinned and cut as for `cairn task run`, and cancelled as soon as its tasks are known. By then some "
      "of "
      "them\n"
      "may have begun, or all of a small job be done; nothing of it is kept. Of a job that runs or has run: cairn task "
      "show\n"
      "JOB --tasks\n"
      "Example:\n  cairn task plan wc /mnt/cairn/logs");
  for (const tasks::OperatorInfo& info : tasks::operators()) {
    auto arguments = std::make_shared<RunArguments>();
    CLI::App* command = add_place(add_operator(*planning, info, arguments->command, kFilesHelp), *arguments);
    command->callback([arguments, &exit_code] {
      const Status done = plan(*arguments);
      exit_code = done.ok() ? kOk : fail("task plan " + arguments->command->op, done.error());
    });
  }
}

}  // namespace

void add_task_run(CLI::App& task, int& exit_code) {
  CLI::App* running = task.add_subcommand("run", "Runs an operator on the servers that hold the bytes");
  running->require_subcommand(1);
  running->footer(
      "PATHS lie under a mount, or (with -m HOST:PORT) are counted from the root of the filesystem. Globs may be "
      "quoted\n"
      "or not; a directory means all regular files below it. Each file is read as it was when the job began. The "
      "result is\n"
      "the table of `cairn task try` over the same files; with --out under the mount a server writes it, and it "
      "appears\n"
      "whole or not at all. Ctrl-C cancels the job.\n"
      "Options and more examples: cairn task run OPERATOR --help\n"
      "Examples:\n"
      "  cairn task run wc /mnt/cairn/logs\n"
      "  cairn task run grep --count 'error|warning' '/mnt/cairn/logs/*.log'\n"
      "  cairn task run stats --column amount /mnt/cairn/sales/*.csv --out /mnt/cairn/results/amount.csv\n"
      "  cairn task run checksum -m 10.0.0.1:4000 /sales --detach");
  for (const tasks::OperatorInfo& info : tasks::operators()) {
    auto arguments = std::make_shared<RunArguments>();
    CLI::App* command = add_place(add_operator(*running, info, arguments->command, kFilesHelp), *arguments);
    command->add_option("--time-limit", arguments->time_limit, "After this the job fails and what it pinned is let go")
        ->type_name("TIME")
        ->capture_default_str();
    command->add_flag("--detach", arguments->detach, "Print the job's number and do not wait for it");
    command->callback([arguments, &exit_code] {
      const Status done = run(*arguments);
      exit_code = done.ok() ? kOk : fail("task run " + arguments->command->op, done.error());
    });
  }
  add_plan(task, exit_code);
}

}  // namespace cairn::tools
