// cairn task list, show, report, result, cancel: jobs that were submitted.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "client/jobs/job_results.h"
#include "common/programs/sandboxed_runner.h"
#include "tools/cairn/job_progress.h"
#include "tools/cairn/job_tables.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/task_client.h"
#include "tools/cairn/task_commands.h"
#include "tools/cairn/task_operators.h"
#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint32_t kJobsPerCall = 256;

struct Arguments {
  std::string metaserver, job;
  bool json = false, tasks = false;
  std::shared_ptr<TableTarget> target = std::make_shared<TableTarget>();
};

void print(const Json& json) { fmt::print("{}\n", json.dump(2)); }

std::string state_of(const JobStatus& status) {
  if (status.failure) return fmt::format("{}: {}", name_of(status.phase), status.failure->what);
  return is_over(status.phase) ? name_of(status.phase) : JobProgress().on_status(status, real_clock().now());
}

Status list(MetaClient& meta, const Arguments& arguments) {
  std::vector<JobStatus> jobs;
  for (JobId after{0};;) {
    ASSIGN(JobList page, meta.list_jobs(after, kJobsPerCall));
    for (JobStatus& job : page.jobs) jobs.push_back(std::move(job));
    if (page.complete || page.jobs.empty()) break;
    after = jobs.back().job;
  }
  if (arguments.json) {
    Json rows = Json::array();
    for (const JobStatus& job : jobs) rows.push_back(to_json(job));
    print({{"jobs", rows}});
    return {};
  }
  if (jobs.empty()) {
    fmt::print("no jobs; start one by: cairn task run --help\n");
    return {};
  }
  std::vector<std::vector<std::string>> rows = {{">job", "operator", ">files", ">bytes", ">time", "state"}};
  for (const JobStatus& job : jobs)
    rows.push_back({std::to_string(raw(job.job)), job.op, std::to_string(job.inputs), human_bytes(job.bytes),
                    human_milliseconds(job.elapsed_ms), state_of(job)});
  fmt::print("{}", text_table(std::move(rows)));
  return {};
}

void print_head(const JobStatus& status) {
  fmt::print("{}\n  {}\n", summary_of(status), state_of(status));
  if (status.failures > 0) fmt::print("  {} failed and were made again\n", counted(status.failures, "attempt"));
  if (status.extra_attempts > 0)
    fmt::print("  {} were started beside slow ones\n", counted(status.extra_attempts, "attempt"));
  if (status.changed_count > 0)
    fmt::print("  {} changed since: {}\n", counted(status.changed_count, "file"), fmt::join(status.changed, ", "));
}

Status show(MetaClient& meta, const Arguments& arguments) {
  ASSIGN(const JobId job, parse_job(arguments.job));
  if (arguments.tasks) {
    ASSIGN(const std::vector<TaskInfo> tasks, fetch_tasks(meta, job));
    fmt::print("{}", text_of(job, tasks, arguments.json));
    return {};
  }
  ASSIGN(const JobStatus status, meta.job_status(job));
  if (arguments.json) {
    print(to_json(status));
    return {};
  }
  print_head(status);
  for (const PhaseCount& phase : status.phases)
    fmt::print("  {}: {} of {}, {} running\n", name_of(phase.phase), phase.done, counted(phase.tasks, "task"),
               phase.running);
  return {};
}

Status report(MetaClient& meta, const Arguments& arguments) {
  ASSIGN(const JobId job, parse_job(arguments.job));
  ASSIGN(const JobStatus status, meta.job_status(job));
  if (arguments.json) {
    print(to_json(status));
    return {};
  }
  print_head(status);
  std::vector<std::vector<std::string>> rows = {
      {">server", ">tasks", ">near the data", ">from others", ">rebuilt", ">results", ">seconds of a core"}};
  const auto add = [&rows](const std::string& name, uint32_t tasks, const TaskCounters& counters) {
    rows.push_back({name, std::to_string(tasks), human_bytes(counters.bytes_local), human_bytes(counters.bytes_network),
                    human_bytes(counters.bytes_decoded), human_bytes(counters.bytes_sent),
                    fmt::format("{:.2f}", static_cast<double>(counters.cpu_ms) / 1000)});
  };
  uint32_t tasks = 0;
  for (const ServerCounters& server : status.servers) {
    add(server_text(server.server), server.tasks, server.counters);
    tasks += server.tasks;
  }
  add("all", tasks, status.counters);
  fmt::print("\n{}", text_table(std::move(rows)));
  return {};
}

Status result(MetaClient& meta, const Arguments& arguments) {
  ASSIGN(const JobId job, parse_job(arguments.job));
  TRY(check_target(*arguments.target));
  ASSIGN(const JobStatus status, meta.job_status(job));
  if (status.failure) return {status.failure->code, status.failure->what};
  if (status.phase != JobPhase::done)
    return {Errc::busy, fmt::format("job {} is not done: {}", raw(job), state_of(status))};
  if (status.output)
    return {Errc::invalid,
            fmt::format("the result of job {} was written to the file {}", raw(job), status.output->name)};
  programs::SandboxedRunner programs;
  ASSIGN(const JobView view, view_job(meta, job, programs));
  return deliver(*arguments.target, [&](const tasks::TextSink& sink) {
    return merge_results({meta, real_network(), real_clock()}, job, view, format_of(*arguments.target), sink);
  });
}

Status cancel(MetaClient&, const Arguments& arguments) {
  ASSIGN(const JobId job, parse_job(arguments.job));
  ASSIGN(const Address address, find_metaserver(arguments.metaserver, ""));
  ASSIGN(JobClient client, connect_to_jobs(address));
  return client.cancel(job);
}

using Act = Status (*)(MetaClient&, const Arguments&);

int run(const std::string& subcommand, const Arguments& arguments, Act act) {
  const auto all = [&]() -> Status {
    ASSIGN(const Address address, find_metaserver(arguments.metaserver, ""));
    ASSIGN(const std::unique_ptr<MetaClient> meta, connect_metaserver(address));
    return act(*meta, arguments);
  };
  const Status done = all();
  return done.ok() ? kOk : fail("task " + subcommand, done.error());
}

CLI::App* add(CLI::App& task, int& exit_code, const std::string& name, const std::string& what, Act act,
              const std::shared_ptr<Arguments>& arguments = std::make_shared<Arguments>()) {
  CLI::App* command = task.add_subcommand(name, what);
  command
      ->add_option("-m,--metaserver", arguments->metaserver, "The cluster; default: the only one that is mounted here")
      ->type_name("HOST:PORT");
  if (name != "list") command->add_option("JOB", arguments->job, "Its number: cairn task list")->required();
  if (name != "result") command->add_flag("--json", arguments->json, "For programs");
  command->callback([name, arguments, act, &exit_code] { exit_code = run(name, *arguments, act); });
  return command;
}

}  // namespace

void add_task_jobs(CLI::App& task, int& exit_code) {
  add(task, exit_code, "list", "Jobs that run and that have run (those of the last day)", list);
  auto shown = std::make_shared<Arguments>();
  add(task, exit_code, "show", "How far a job is, or how it ended", show, shown)
      ->add_flag("--tasks", shown->tasks, "Its tasks: where their bytes lie, what travels, who did them");
  add(task, exit_code, "report", "What a job read near the data, what it moved, and who did it", report);
  auto arguments = std::make_shared<Arguments>();
  CLI::App* table = add(task, exit_code, "result", "The table of a job that has ended", result, arguments);
  add_target(*table, arguments->target);
  add(task, exit_code, "cancel", "Ends a job; nothing of it remains", cancel);
}

}  // namespace cairn::tools
