// cairn task partition: files in partitions, as a table.
#include "tools/cairn/task_partition.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "common/base/config.h"
#include "common/stripe/held_ranges.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/task_client.h"
#include "tools/cairn/task_commands.h"
#include "tools/cairn/task_inputs.h"
#include "tools/cairn/task_operators.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {
namespace {

constexpr uint32_t kExtentsPerCall = 1000;

// Ties go to the server with the smallest id.
Result<ServerId> holder_of_most(MetaClient& meta, InodeId inode, uint64_t size) {
  std::map<ServerId, uint64_t> held;
  for (uint64_t from = 0; from < size;) {
    ASSIGN(const Layout page, meta.layout(inode, from, size - from, kExtentsPerCall));
    const uint64_t end = std::min(page.covered_until, size);
    if (end <= from) break;
    std::vector<ChunkHolders> holders;
    for (const ChunkInfo& chunk : page.chunks)
      holders.push_back({chunk.chunk, {chunk.servers.begin(), chunk.servers.begin() + chunk.code.d}});
    ASSIGN(const std::vector<HeldRange> ranges, held_ranges(from, end, page.extents, holders));
    for (const HeldRange& range : ranges) held[range.holder] += range.end - range.begin;
    from = end;
  }
  held.erase(ServerId{});
  const auto most = std::ranges::max_element(held, {}, [](const auto& one) { return one.second; });
  return most == held.end() ? ServerId{} : most->first;
}

struct PartitionArguments {
  std::string metaserver, rule;
  std::vector<std::string> paths;
  std::shared_ptr<TableTarget> target = std::make_shared<TableTarget>();
};

Status run(const PartitionArguments& arguments) {
  TRY(check_target(*arguments.target));
  std::vector<JobInput> inputs;
  std::unique_ptr<MetaClient> meta;
  if (arguments.metaserver.empty()) {
    ASSIGN(const MountEntry mount, mount_at_or_above(arguments.paths.front()));
    ASSIGN(const Address address, parse_address(mount.source));
    ASSIGN(inputs, inputs_under_mount(mount.mountpoint, arguments.paths, R_OK));
    TRY(flush_mount(mount.mountpoint));
    ASSIGN(meta, connect_metaserver(address));
  } else {
    ASSIGN(const Address address, parse_address(arguments.metaserver));
    ASSIGN(meta, connect_metaserver(address));
    ASSIGN(inputs, inputs_from_root(*meta, arguments.paths));
  }
  ASSIGN(const tasks::PartitionRule rule, tasks::parse_partition_rule(arguments.rule));
  ASSIGN(const auto files, sizes_and_holders(*meta, inputs, rule));
  const std::vector<uint32_t> parts = tasks::partition(rule, files);
  tasks::Table table{{"File", "Size", "Partition"}, {}};
  for (size_t i = 0; i < inputs.size(); ++i)
    table.rows.push_back({inputs[i].name, files[i].bytes, fmt::format("p{}", parts[i])});
  return deliver(*arguments.target, table);
}

}  // namespace

Result<std::vector<tasks::PartitionedFile>> sizes_and_holders(MetaClient& meta, const std::vector<JobInput>& inputs,
                                                              const tasks::PartitionRule& rule) {
  std::vector<tasks::PartitionedFile> files;
  for (const JobInput& input : inputs) {
    ASSIGN(const Attributes attributes, meta.get_attributes(input.inode));
    tasks::PartitionedFile file{attributes.size, 0};
    if (rule.kind == tasks::PartitionRule::Kind::locality) {
      ASSIGN(const ServerId holder, holder_of_most(meta, input.inode, attributes.size));
      file.holder = raw(holder);
    }
    files.push_back(file);
  }
  return files;
}

Result<std::vector<std::string>> partitions_of(MetaClient& meta, const std::vector<JobInput>& inputs,
                                               const std::string& text) {
  ASSIGN(const tasks::PartitionRule rule, tasks::parse_partition_rule(text));
  ASSIGN(const auto files, sizes_and_holders(meta, inputs, rule));
  std::vector<std::string> names;
  for (const uint32_t part : tasks::partition(rule, files)) names.push_back(fmt::format("p{}", part));
  return names;
}

bool is_partition_rule(const std::string& text) {
  return text == "locality" || text.starts_with("count:") || text.starts_with("bytes:");
}

void add_task_partition(CLI::App& task, int& exit_code) {
  auto arguments = std::make_shared<PartitionArguments>();
  CLI::App* command = task.add_subcommand("partition", "Files in partitions: File,Size,Partition");
  command->footer(
      "count:N makes so many of neighbouring files, as even in bytes as that allows; bytes:SIZE makes bins of at most "
      "so "
      "many\nbytes, and a larger file has one of its own; locality makes one for each server, of the files of which it "
      "holds most.\nread and write take the same as their --partition.\n"
      "Examples:\n"
      "  cairn task partition --partition count:10 /mnt/cairn/data\n"
      "  cairn task partition --partition locality '/mnt/cairn/data/*.csv' --json");
  command->add_option("-m,--metaserver", arguments->metaserver, "The cluster, without a mount")->type_name("HOST:PORT");
  command->add_option("--partition", arguments->rule, "count:N, bytes:SIZE or locality")->type_name("RULE")->required();
  command->add_option("PATHS", arguments->paths, "Files, directories and globs of one mount; with -m, from the root")
      ->type_name("")
      ->required();
  add_target(*command, arguments->target);
  command->callback([arguments, &exit_code] {
    const Status done = run(*arguments);
    exit_code = done.ok() ? kOk : fail("task partition", done.error());
  });
}

}  // namespace cairn::tools
