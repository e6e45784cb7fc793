// cairn task: operators over files. `try` runs them here, over plain files.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "common/base/config.h"
#include "common/tasks/registry.h"
#include "common/tasks/table.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/local_tasks.h"
#include "tools/cairn/output_file.h"

namespace cairn::tools {
namespace {

struct TryArguments {
  tasks::Arguments given;  // to the operator
  std::vector<std::string> files;
  std::string split = "4M", out;
  uint32_t threads = 0;
  bool csv = false, json = false, force = false;
};

Result<tasks::Table> compute(const std::string& op, const TryArguments& arguments) {
  if (!arguments.out.empty() && !arguments.force && ::access(arguments.out.c_str(), F_OK) == 0)
    return {Errc::exists, arguments.out + " exists; --force replaces it"};
  ASSIGN(const uint64_t split_bytes, parse_size(arguments.split));
  if (split_bytes == 0) return {Errc::invalid, "--split 0: at least one byte"};
  return run_locally(op, arguments.given, arguments.files, {split_bytes, arguments.threads});
}

int run_try(const std::string& op, const TryArguments& arguments) {
  const std::string subcommand = "task try " + op;
  const Result<tasks::Table> table = compute(op, arguments);
  if (!table.ok()) return fail(subcommand, table.error());
  const std::string text = arguments.json ? to_json_lines(*table) : to_csv(*table);
  if (arguments.out.empty()) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return kOk;
    return fail(subcommand, {Errc::io, "standard output does not take the result"});
  }
  const Status written = write_output_file(arguments.out, text, arguments.force);
  return written.ok() ? kOk : fail(subcommand, written.error());
}

void add_operator(CLI::App& parent, const tasks::OperatorInfo& info, int& exit_code) {
  auto arguments = std::make_shared<TryArguments>();
  arguments->threads = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
  CLI::App* command = parent.add_subcommand(info.name, info.summary);
  command->footer(info.explains);
  for (const tasks::OptionInfo& option : info.options) {
    const std::string name = option.name;
    const bool positional = option.kind == tasks::OptionInfo::Kind::positional;
    if (*option.value == '\0') {
      command->add_flag_callback(
          "--" + name, [arguments, name] { arguments->given[name] = "true"; }, option.help);
      continue;
    }
    command
        ->add_option_function<std::string>(
            positional ? option.value : "--" + name,
            [arguments, name](const std::string& text) { arguments->given[name] = text; }, option.help)
        ->type_name(positional ? "" : option.value)
        ->required(option.kind != tasks::OptionInfo::Kind::optional);
  }
  command->add_option("FILES", arguments->files, "Regular files, in a mount or anywhere else")
      ->type_name("")
      ->required();
  command->add_option("--split", arguments->split, "Bytes of a split, as 64K or 1; any size gives the same result")
      ->type_name("BYTES")
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "Splits that are mapped at once, 1 .. 256")
      ->check(CLI::Range(1, 256).description(""))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--out", arguments->out, "Write the result there, whole or not at all")->type_name("PATH");
  command->add_flag("--force", arguments->force, "Replace what --out names");
  CLI::Option* csv = command->add_flag("--csv", arguments->csv, "CSV with a header (this is how it is written)");
  command->add_flag("--json", arguments->json, "JSON, one object a line")->excludes(csv);
  command->callback([arguments, name = std::string(info.name), &exit_code] { exit_code = run_try(name, *arguments); });
}

}  // namespace

void add_task(CLI::App& app, int& exit_code) {
  CLI::App* task = app.add_subcommand("task", "Operators over files: counts, searches, statistics, checksums");
  task->require_subcommand(1);
  CLI::App* trying = task->add_subcommand("try", "Runs an operator here, over plain files");
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
  for (const tasks::OperatorInfo& info : tasks::operators()) add_operator(*trying, info, exit_code);
}

}  // namespace cairn::tools
