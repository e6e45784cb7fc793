// cairn task: operators over files. `try` runs them here, over plain files; task_run.cc on the servers of a cluster.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "common/base/config.h"
#include "common/programs/sandboxed_runner.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/local_tasks.h"
#include "tools/cairn/task_commands.h"
#include "tools/cairn/task_operators.h"

namespace cairn::tools {
namespace {

struct TryArguments {
  std::shared_ptr<OperatorCommand> command = std::make_shared<OperatorCommand>();
  std::string split = "4M";
  uint32_t threads = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
};

Status run_try(const TryArguments& arguments) {
  const OperatorCommand& command = *arguments.command;
  TRY(check_target(*command.target));
  ASSIGN(const uint64_t split_bytes, parse_size(arguments.split));
  if (split_bytes == 0) return {Errc::invalid, "--split 0: at least one byte"};
  programs::SandboxedRunner runner;
  return deliver(*command.target, [&](const tasks::TextSink& sink) {
    return run_locally(command.op, command.given, command.files,
                       {split_bytes, arguments.threads, command.target->json, runner}, sink);
  });
}

void add_try(CLI::App& task, int& exit_code) {
  CLI::App* trying = task.add_subcommand("try", "Runs an operator here, over plain files");
  trying->require_subcommand(1);
  trying->footer(
      "The files are cut into splits, which are mapped over several threads and merged; the result is a table, the "
      "same\n"
      "for every size of splits and every number of threads. What is wrong in a file is told with its name and "
      "offset.\n"
      "Options and more examples: cairn task try OPERATOR --help\n"
      "Examples:\n"
      "  cairn task try wc /mnt/cairn/logs/*.log\n"
      "  cairn task try grep --count 'error|warning' /mnt/cairn/logs/*.log\n"
      "  cairn task try stats --column amount --group-by city /mnt/cairn/sales/*.csv --out amounts.csv\n"
      "  cairn task try top --column amount --rows 5 --json /mnt/cairn/sales/*.csv");
  for (const tasks::OperatorInfo& info : tasks::operators()) {
    if (info.needs({}).file_work) continue;  // there is nobody here to write the file whole or not at all
    auto arguments = std::make_shared<TryArguments>();
    CLI::App* command = add_operator(*trying, info, arguments->command, "Regular files, in a mount or anywhere else");
    command->add_option("--split", arguments->split, "Bytes of a split, as 64K or 1; any size gives the same result")
        ->type_name("BYTES")
        ->capture_default_str();
    command->add_option("--threads", arguments->threads, "Splits that are mapped at once, 1 .. 256")
        ->check(CLI::Range(1, 256).description(""))
        ->type_name("N")
        ->capture_default_str();
    command->callback([arguments, &exit_code] {
      const Status done = run_try(*arguments);
      exit_code = done.ok() ? kOk : fail("task try " + arguments->command->op, done.error());
    });
  }
}

}  // namespace

void add_task(CLI::App& app, int& exit_code) {
  CLI::App* task = app.add_subcommand("task", "Operators over files: counts, searches, statistics, checksums");
  task->require_subcommand(1);
  task->footer(
      "On a cluster the work goes to the servers that hold the bytes, and a table comes back:\n"
      "  cairn task run stats --column amount '/mnt/cairn/sales/*.csv' --out /mnt/cairn/results/amount.csv\n"
      "  cairn task list                        what runs and what has run\n"
      "  cairn task report 7                    what was read near the data, what moved, who did it");
  add_task_run(*task, exit_code);
  add_task_jobs(*task, exit_code);
  add_task_partition(*task, exit_code);
  add_try(*task, exit_code);
}

}  // namespace cairn::tools
