// cairn task run and plan: an operator on the servers of a cluster.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "client/jobs/job_results.h"
#include "common/base/config.h"
#include "common/programs/sandboxed_runner.h"
#include "common/tasks/per_file.h"
#include "tools/cairn/job_progress.h"
#include "tools/cairn/job_tables.h"
#include "tools/cairn/job_watch.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/task_client.h"
#include "tools/cairn/task_commands.h"
#include "tools/cairn/task_generate.h"
#include "tools/cairn/task_inputs.h"
#include "tools/cairn/task_operators.h"
#include "tools/cairn/task_partition.h"
#include "tools/cairn/task_table_run.h"
#include "tools/cairn/text_table.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {
namespace {

struct RunArguments {
  std::shared_ptr<OperatorCommand> command = std::make_shared<OperatorCommand>();
  std::string metaserver, task_bytes = format_size(kDefaultTaskBytes), time_limit = format_duration(kDefaultJobTime);
  bool detach = false, quiet = false;
  std::string table;       // of read and write
  GenerateNames generate;  // of generate
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
  output.format = format_of(target);
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
    const bool writes = tasks::find_operator(command.op)->needs(command.given).new_contents;
    ASSIGN(inputs, inputs_under_mount(place.mountpoint, command.files, writes ? R_OK | W_OK : R_OK));
    TRY(flush_mount(place.mountpoint));  // what was written before is in the job
  }
  if (const auto rule = job.arguments.find("partition");
      rule != job.arguments.end() && is_partition_rule(rule->second)) {
    ASSIGN(const std::vector<std::string> partitions, partitions_of(client.meta(), inputs, rule->second));
    rule->second = tasks::per_file_text(partitions);
  }
  if (output_in_cluster) {
    ASSIGN(const NamedPlace named,
           rooted ? place_from_root(client.meta(), command.target->out) : place_under_mount(command.target->out));
    ASSIGN(job.output, output_of(*command.target, named));
  }
  ASSIGN(const JobId id, client.submit(job, inputs));
  return Submitted{id, output_in_cluster};
}

void tell_changes(const JobStatus& status) {
  if (status.changed_count == 0) return;
  say(fmt::format("cairn task: {} changed since the job began: {}{}. The table is of what they were then",
                  counted(status.changed_count, "file"), fmt::join(status.changed, ", "),
                  status.changed_count > status.changed.size() ? ", ..." : ""));
}

// The table of tasks, instead of files and --times.
Status run_table(const RunArguments& arguments) {
  const OperatorCommand& command = *arguments.command;
  if (arguments.detach || !arguments.metaserver.empty())
    return {Errc::invalid, "--table works on the files of a mount, and waits for its table"};
  if (command.files.size() > 1) return {Errc::invalid, "--table takes one directory, which relative names count from"};
  for (const char* name : {"times", "size", "partition"}) {
    if (command.given.contains(name)) return {Errc::invalid, fmt::format("--{} stands in the table", name)};
  }
  TRY(check_target(*command.target));
  TableRun run;
  ASSIGN(run.entries, load_task_table(arguments.table, command.files.empty() ? "" : command.files.front()));
  ASSIGN(const MountEntry mount, mount_at_or_above(run.entries.front().file));
  ASSIGN(run.metaserver, parse_address(mount.source));
  run.mountpoint = mount.mountpoint;
  (command.op == "read" ? run.of_reads : run.of_writes) = command.given;
  ASSIGN(run.task_bytes, parse_size(arguments.task_bytes));
  ASSIGN(run.time_limit, parse_duration(arguments.time_limit));
  run.quiet = arguments.quiet;
  ASSIGN(const tasks::Table table, run_task_table(run));
  return deliver(*command.target, table);
}

Status run(const RunArguments& arguments) {
  ASSIGN(const Place place, find_place(arguments));
  ASSIGN(JobClient client, connect_to_jobs(place.metaserver));
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
    const TableTarget& target = *arguments.command->target;
    TRY(deliver(target, [&](const tasks::TextSink& sink) {
      return merge_results({client.meta(), real_network(), real_clock()}, submitted.job, view, format_of(target), sink);
    }));
  }
  tell_changes(status);
  if (shows_progress(arguments.quiet)) say(summary_of(status));
  return {};
}

// Files that are not there yet are made, and their names go again if nothing comes of it.
Status run_generate(RunArguments arguments) {
  if (!arguments.metaserver.empty()) return {Errc::invalid, "--files are made under a mount"};
  OperatorCommand& command = *arguments.command;
  if (!command.files.empty()) return {Errc::invalid, "--files makes the files: name none besides"};
  if (command.given.contains("kind")) arguments.generate.kind = command.given.at("kind");
  ASSIGN(GeneratedNames names, GeneratedNames::make(arguments.generate));
  command.files = names.paths();
  TRY(run(arguments));
  names.keep();
  return {};
}

Status run_what_was_said(const RunArguments& arguments) {
  if (!arguments.table.empty()) return run_table(arguments);
  if (arguments.generate.files > 0) return run_generate(arguments);
  if (arguments.command->files.empty()) return {Errc::invalid, "no files are named; see --help"};
  return run(arguments);
}

// Where the files of an operator may come from besides the command line.
void add_sources(CLI::App& command, const std::string& op, RunArguments& arguments) {
  if (op == "read" || op == "write") {
    command
        .add_option("--table", arguments.table,
                    "What to do to which file: file,reads,writes,size,partition, as CSV or JSON lines; - is standard "
                    "input. FILES is then the directory that relative names count from")
        ->type_name("TABLE");
  } else if (op == "generate") {
    command.add_option("--files", arguments.generate.files, "Make so many files")->type_name("N");
    command.add_option("--directory", arguments.generate.directory, "Where they are made")->type_name("DIR");
    command.add_option("--prefix", arguments.generate.prefix, "What their names begin with")
        ->type_name("TEXT")
        ->capture_default_str();
  } else {
    return;
  }
  command.get_option("FILES")->required(false);
}

// The metaserver cuts a job and gives it out in one go: so a plan is a job that is cancelled as soon as it is seen to
// be cut.
Status plan(const RunArguments& arguments) {
  ASSIGN(const Place place, find_place(arguments));
  ASSIGN(JobClient client, connect_to_jobs(place.metaserver));
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
    if (info.needs({}).new_contents) continue;  // it might have begun before it is cancelled
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
    add_sources(*command, info.name, *arguments);
    command->callback([arguments, &exit_code] {
      const Status done = run_what_was_said(*arguments);
      exit_code = done.ok() ? kOk : fail("task run " + arguments->command->op, done.error());
    });
  }
  add_plan(task, exit_code);
}

}  // namespace cairn::tools
