#include "tools/cairn/bench_tasks.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "common/base/config.h"
#include "common/base/errno_error.h"
#include "common/tasks/file_figures.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/job_tables.h"
#include "tools/cairn/job_watch.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/task_client.h"
#include "tools/cairn/task_generate.h"
#include "tools/cairn/task_inputs.h"
#include "tools/cairn/task_operators.h"
#include "tools/cairn/task_table_run.h"
#include "tools/cairn/text_table.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint64_t kSeed = 1;

struct Run {
  JobStatus status;
  tasks::Table table;
};

// The cluster that the directory lies in, and jobs on it, one after the other.
class Cluster {
 public:
  static Result<Cluster> of(const std::string& directory) {
    ASSIGN(const MountEntry mount, mount_at_or_above(directory));
    ASSIGN(const Address address, parse_address(mount.source));
    ASSIGN(JobClient client, connect_to_jobs(address));
    return Cluster(std::move(client), mount.mountpoint, address);
  }
  const std::string& mountpoint() const { return mountpoint_; }
  const Address& metaserver() const { return metaserver_; }
  MetaClient& meta() { return client_.meta(); }

  Result<Run> run(const std::string& op, const tasks::Arguments& arguments, const std::vector<std::string>& paths) {
    say(fmt::format("cairn bench: {}", op));
    TRY(flush_mount(mountpoint_));
    ASSIGN(const std::vector<JobInput> inputs, inputs_under_mount(mountpoint_, paths, R_OK));
    SubmitJob job;
    job.op = op;
    job.arguments = arguments;
    ASSIGN(const JobId id, client_.submit(job, inputs));
    Run done;
    ASSIGN(done.status, watch(client_, id, JobPhase::done, false, block_interrupts()));
    TRY(check_done(done.status));
    ASSIGN(done.table, table_of(client_, id));
    return done;
  }

 private:
  Cluster(JobClient client, std::string mountpoint, Address metaserver)
      : client_(std::move(client)), mountpoint_(std::move(mountpoint)), metaserver_(std::move(metaserver)) {}
  JobClient client_;
  std::string mountpoint_;
  Address metaserver_;
};

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) == 0 || errno == EEXIST) return {};
  return file_error("make", path, errno);
}

bool is_there(const std::string& path, uint64_t size) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) && static_cast<uint64_t>(found.st_size) == size;
}

// The files of a workload: those that are there already, or new ones.
Result<std::vector<std::string>> files_of(Cluster& cluster, const BenchTasks& wanted, const std::string& name) {
  const std::string directory = wanted.directory + "/" + name;
  TRY(make_directory(directory));
  const GenerateNames names{wanted.files, directory, "file", "csv"};
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < wanted.files; ++i) paths.push_back(names.path(i));
  if (std::ranges::all_of(paths, [&](const std::string& path) { return is_there(path, wanted.size); })) {
    say(fmt::format("cairn bench: {} has the files already", directory));
    return paths;
  }
  ASSIGN(GeneratedNames made, GeneratedNames::make(names));
  ASSIGN(const Run run,
         cluster.run("generate",
                     {{"size", std::to_string(wanted.size)}, {"kind", "csv"}, {"seed", std::to_string(kSeed)}}, paths));
  made.keep();
  say(fmt::format("cairn bench: {} were made in {}", human_bytes(wanted.files * wanted.size),
                  human_milliseconds(run.status.elapsed_ms)));
  return paths;
}

Status keep(const BenchTasks& wanted, const std::string& name, const tasks::Table& table) {
  if (wanted.out.empty()) return {};
  TRY(make_directory(wanted.out));
  return deliver({.out = wanted.out + "/" + name + ".csv", .force = wanted.force}, table);
}

// Bytes of the data that lie on each server: what its tasks of a job that reads all of it own.
Result<std::map<ServerId, uint64_t>> layout_of(Cluster& cluster, JobId job) {
  ASSIGN(const std::vector<TaskInfo> tasks, fetch_tasks(cluster.meta(), job));
  std::map<ServerId, uint64_t> bytes;
  for (const TaskInfo& task : tasks) bytes[task.owner] += task.bytes_owned;
  return bytes;
}

std::string layout_text(const std::map<ServerId, uint64_t>& layout, Json& json) {
  std::vector<std::vector<std::string>> rows = {{">server", ">bytes"}};
  for (const auto& [server, bytes] : layout) {
    rows.push_back({server_text(server), human_bytes(bytes)});
    json.push_back({{"server", raw(server)}, {"bytes", bytes}});
  }
  return text_table(std::move(rows));
}

double megabytes_per_second(uint64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<double>(bytes) / 1e6 / seconds : 0;
}

}  // namespace

Result<BenchResult> bench_operators(const BenchTasks& wanted) {
  struct Measured {
    const char* op;
    tasks::Arguments arguments;
  };
  const std::vector<Measured> all = {
      {"checksum", {}},
      {"wc", {}},
      {"grep", {{"pattern", ",g07,"}, {"count", "true"}}},
      {"stats", {{"column", "amount"}, {"group-by", "group"}}},
  };
  const std::string name = fmt::format("seed-{}x{}", wanted.files, format_size(wanted.size));
  ASSIGN(Cluster cluster, Cluster::of(wanted.directory));
  ASSIGN(const std::vector<std::string> paths, files_of(cluster, wanted, name));
  BenchResult result;
  result.json = {{"workload", name}, {"files", wanted.files}, {"size", wanted.size}};
  std::vector<std::vector<std::string>> rows = {{"operator", ">seconds", ">MB/s", ">near", ">moved"}};
  for (const Measured& one : all) {
    ASSIGN(const Run run, cluster.run(one.op, one.arguments, paths));
    if (!result.json.contains("layout")) {
      ASSIGN(const auto layout, layout_of(cluster, run.status.job));
      result.text = layout_text(layout, result.json["layout"]) + "\n";
    }
    TRY(keep(wanted, one.op, run.table));
    const TaskCounters& sum = run.status.counters;
    const double seconds = static_cast<double>(run.status.elapsed_ms) / 1000;
    const uint64_t moved = sum.bytes_network + sum.bytes_sent;
    const double rate = megabytes_per_second(run.status.bytes, seconds);
    rows.push_back({one.op, fmt::format("{:.2f}", seconds), fmt::format("{:.1f}", rate), human_bytes(sum.bytes_local),
                    human_bytes(moved)});
    result.json["operators"].push_back({{"operator", one.op},
                                        {"seconds", seconds},
                                        {"megabytes_per_second", rate},
                                        {"bytes", run.status.bytes},
                                        {"bytes_near", sum.bytes_local},
                                        {"bytes_moved", moved}});
  }
  result.text += text_table(std::move(rows));
  return result;
}

tasks::Table by_partition(const tasks::Table& by_file) {
  tasks::Table sums{{"partition", "files", "reads", "writes", "bytes", "seconds", "errors"}, {}};
  std::map<tasks::Value, size_t> row_of;
  for (const auto& row : by_file.rows) {
    const auto [found, is_new] = row_of.try_emplace(row.at(1), sums.rows.size());
    if (is_new) sums.rows.push_back({row.at(1), uint64_t{0}, uint64_t{0}, uint64_t{0}, uint64_t{0}, 0.0, uint64_t{0}});
    std::vector<tasks::Value>& sum = sums.rows[found->second];
    ++std::get<uint64_t>(sum[1]);
    tasks::add_figures(sum, row);
  }
  return sums;
}

Result<BenchResult> bench_partitions(const BenchTasks& wanted) {
  const std::string name = fmt::format("seed-{}x{}-p{}", wanted.files, format_size(wanted.size), wanted.partitions);
  ASSIGN(Cluster cluster, Cluster::of(wanted.directory));
  ASSIGN(const std::vector<std::string> paths, files_of(cluster, wanted, name));
  TableRun run;
  run.metaserver = cluster.metaserver();
  run.mountpoint = cluster.mountpoint();
  run.of_reads = {{"warm", "true"}};
  run.of_writes = {{"kind", "csv"}, {"seed", std::to_string(kSeed + 1)}};
  run.task_bytes = kDefaultTaskBytes;
  run.time_limit = kDefaultJobTime;
  for (size_t i = 0; i < paths.size(); ++i) {
    const bool written = wanted.mixed && i % 3 == 2;
    tasks::TableEntry entry{paths[i],
                            written ? 0 : wanted.reads,
                            written ? std::max<uint64_t>(1, wanted.reads / 10) : 0,
                            {},
                            fmt::format("p{}", i * wanted.partitions / paths.size())};
    run.entries.push_back(std::move(entry));
  }
  say(fmt::format("cairn bench: {} of {}", wanted.mixed ? "reads and writes" : "reads", counted(paths.size(), "file")));
  const Instant before = real_clock().now();
  ASSIGN(const tasks::Table by_file, run_task_table(run));
  const double seconds = std::chrono::duration<double>(real_clock().now() - before).count();
  const tasks::Table partitions = by_partition(by_file);
  TRY(keep(wanted, "by_file", by_file));
  TRY(keep(wanted, "by_partition", partitions));

  BenchResult result;
  result.json = {{"workload", name},      {"files", wanted.files}, {"size", wanted.size},
                 {"reads", wanted.reads}, {"mixed", wanted.mixed}, {"seconds", seconds}};
  std::vector<std::vector<std::string>> rows = {
      {"partition", ">files", ">reads", ">writes", ">bytes", ">seconds", ">errors"}};
  uint64_t bytes = 0;
  for (const auto& row : partitions.rows) {
    const auto count = [&](size_t column) { return std::get<uint64_t>(row[column]); };
    bytes += count(4);
    rows.push_back({std::get<std::string>(row[0]), std::to_string(count(1)), std::to_string(count(2)),
                    std::to_string(count(3)), human_bytes(count(4)), fmt::format("{:.2f}", std::get<double>(row[5])),
                    std::to_string(count(6))});
    result.json["partitions"].push_back({{"partition", std::get<std::string>(row[0])},
                                         {"files", count(1)},
                                         {"reads", count(2)},
                                         {"writes", count(3)},
                                         {"bytes", count(4)},
                                         {"seconds", std::get<double>(row[5])},
                                         {"errors", count(6)}});
  }
  result.json["megabytes_per_second"] = megabytes_per_second(bytes, seconds);
  result.text = text_table(std::move(rows)) + fmt::format("\n{} in {:.2f} s: {:.1f} MB/s\n", human_bytes(bytes),
                                                          seconds, megabytes_per_second(bytes, seconds));
  return result;
}

}  // namespace cairn::tools
