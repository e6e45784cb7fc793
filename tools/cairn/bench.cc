// cairn bench: workloads on a cluster, measured. The comparison with other filesystems is tools/bench.
#include <fmt/format.h>

#include <memory>

#include "common/base/config.h"
#include "tools/cairn/bench_tasks.h"
#include "tools/cairn/command_line.h"

namespace cairn::tools {
namespace {

using Bench = Result<BenchResult> (*)(const BenchTasks&);

struct BenchArguments {
  BenchTasks wanted;
  std::string size = "10M";
  bool json = false, full = false;
};

Status run(BenchArguments arguments, Bench bench) {
  ASSIGN(arguments.wanted.size, parse_size(arguments.size));
  if (arguments.wanted.files == 0 || arguments.wanted.partitions == 0)
    return {Errc::invalid, "--files and --partitions: at least one"};
  if (arguments.full) arguments.wanted.reads = 1000;
  ASSIGN(const BenchResult result, bench(arguments.wanted));
  fmt::print("{}", arguments.json ? result.json.dump(2) + "\n" : result.text);
  return {};
}

std::shared_ptr<BenchArguments> add_workload(CLI::App& tasks, const std::string& name, const std::string& summary,
                                             uint32_t files, Bench bench, int& exit_code, CLI::App*& command) {
  auto arguments = std::make_shared<BenchArguments>();
  arguments->wanted.files = files;
  command = tasks.add_subcommand(name, summary);
  command->add_option("--directory", arguments->wanted.directory, "A directory under a mount, for the files")
      ->type_name("DIR")
      ->required();
  command->add_option("--files", arguments->wanted.files, "So many files")->type_name("N")->capture_default_str();
  command->add_option("--size", arguments->size, "Of each file")->type_name("BYTES")->capture_default_str();
  command->add_option("--out", arguments->wanted.out, "A directory for the tables, as CSV")->type_name("DIR");
  command->add_flag("--force", arguments->wanted.force, "Replace tables that are there");
  command->add_flag("--json", arguments->json, "JSON, for programs");
  command->callback([arguments, bench, name, &exit_code] {
    const Status done = run(*arguments, bench);
    exit_code = done.ok() ? kOk : fail("bench tasks " + name, done.error());
  });
  return arguments;
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  CLI::App* bench = app.add_subcommand("bench", "Workloads on a cluster, measured");
  bench->require_subcommand(1);
  CLI::App* tasks = bench->add_subcommand("tasks", "Near-data tasks over many files");
  tasks->require_subcommand(1);
  tasks->footer(
      "The servers make the files, unless they are there from an earlier run; nothing passes through this machine but "
      "results.\n"
      "Examples:\n"
      "  cairn bench tasks seed-1000x10M --directory /mnt/cairn/bench\n"
      "  cairn bench tasks seed-100x10-p10 --directory /mnt/cairn/bench --mixed --out tables");
  CLI::App* command = nullptr;
  add_workload(*tasks, "seed-1000x10M", "checksum, wc, grep and stats over CSV files, one after the other", 1000,
               bench_operators, exit_code, command);
  const auto partitions = add_workload(*tasks, "seed-100x10-p10", "Files in partitions, each read a number of times",
                                       100, bench_partitions, exit_code, command);
  command->add_option("--partitions", partitions->wanted.partitions, "So many of about the same number of files")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--reads", partitions->wanted.reads, "Of each file, after one that is not counted")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--full", partitions->full, "1000 reads of each file");
  command->add_flag("--mixed", partitions->wanted.mixed, "Every third file is written, a tenth as often");
}

}  // namespace cairn::tools
