#include "tools/cairn/task_table_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "common/tasks/file_figures.h"
#include "common/tasks/per_file.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/job_watch.h"
#include "tools/cairn/task_client.h"
#include "tools/cairn/task_inputs.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {
namespace {

using tasks::TableEntry;

// Entries that one of the jobs is about, as its arguments and files.
Result<SubmitJob> job_of(const TableRun& run, const std::vector<TableEntry>& entries, bool writes) {
  SubmitJob job;
  job.op = writes ? "write" : "read";
  job.arguments = writes ? run.of_writes : run.of_reads;
  job.task_bytes = run.task_bytes;
  job.time_limit_ms = run.time_limit / 1ms;
  std::vector<std::string> times, partitions, sizes;
  bool partitioned = false, sized = false;
  for (const TableEntry& entry : entries) {
    times.push_back(std::to_string(writes ? entry.writes : entry.reads));
    partitions.push_back(entry.partition.empty() ? "-" : entry.partition);
    partitioned |= !entry.partition.empty();
    sized |= entry.size.has_value();
  }
  job.arguments["times"] = tasks::per_file_text(times);
  if (partitioned) job.arguments["partition"] = tasks::per_file_text(partitions);
  if (!writes || !sized) return job;
  for (const TableEntry& entry : entries) {
    std::error_code error;
    const uint64_t now = entry.size ? 0 : std::filesystem::file_size(entry.file, error);
    if (error) return Error{Errc::not_found, fmt::format("{}: {}", entry.file, error.message())};
    sizes.push_back(std::to_string(entry.size.value_or(now)));
  }
  job.arguments["size"] = tasks::per_file_text(sizes);
  return job;
}

Result<JobId> submit(JobClient& client, const TableRun& run, const std::vector<TableEntry>& entries, bool writes) {
  std::vector<std::string> files;
  for (const TableEntry& entry : entries) files.push_back(entry.file);
  ASSIGN(SubmitJob job, job_of(run, entries, writes));
  ASSIGN(const std::vector<JobInput> inputs, inputs_under_mount(run.mountpoint, files, writes ? R_OK | W_OK : R_OK));
  if (inputs.size() != files.size()) return Error{Errc::invalid, "a table of tasks names files, and no directories"};
  return client.submit(std::move(job), inputs);
}

// After the error that is told: a failure to cancel is no other one.
void give_up(JobClient& client, JobId job) {
  if (const Status cancelled = client.cancel(job); !cancelled.ok())
    say(fmt::format("job {} goes on: {}", raw(job), cancelled.error().what));
}

// A signal while one is waited for ends the other one too.
Status finish(JobClient& client, const std::vector<JobId>& jobs, const TableRun& run, const sigset_t& ends) {
  Status first;
  for (const JobId job : jobs) {
    if (!first.ok()) {
      give_up(client, job);
      continue;
    }
    const Result<JobStatus> status = watch(client, job, JobPhase::done, run.quiet, ends);
    first = status.ok() ? check_done(*status) : Status(status.error());
  }
  return first;
}

}  // namespace

Result<std::vector<TableEntry>> load_task_table(const std::string& path, const std::string& base) {
  std::string text;
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    std::ifstream file(path, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(file), {});
    if (!file) return Error{Errc::not_found, path + " cannot be read"};
  }
  ASSIGN(std::vector<TableEntry> entries, tasks::parse_task_table(text));
  const std::filesystem::path from = base.empty() ? std::filesystem::current_path() : std::filesystem::absolute(base);
  for (TableEntry& entry : entries) entry.file = (from / entry.file).lexically_normal().string();
  return entries;
}

Result<tasks::Table> join_figures(tasks::Table reads, const tasks::Table& writes) {
  std::map<std::string, const std::vector<tasks::Value>*> by_file;
  for (const auto& row : writes.rows) by_file[std::get<std::string>(row.at(0))] = &row;
  for (auto& row : reads.rows) {
    const auto found = by_file.find(std::get<std::string>(row.at(0)));
    if (found == by_file.end()) continue;
    tasks::add_figures(row, *found->second);
    by_file.erase(found);
  }
  if (by_file.empty()) return reads;
  return Error{Errc::invalid, by_file.begin()->first + " was written and not asked for"};
}

Result<tasks::Table> run_task_table(const TableRun& run) {
  std::vector<TableEntry> written;
  for (const TableEntry& entry : run.entries) {
    if (entry.writes > 0) written.push_back(entry);
  }
  ASSIGN(JobClient client, connect_to_jobs(run.metaserver));
  TRY(flush_mount(run.mountpoint));  // what was written before is read
  const sigset_t ends = block_interrupts();
  std::vector<JobId> jobs;
  ASSIGN(const JobId reading, submit(client, run, run.entries, false));
  jobs.push_back(reading);
  if (!written.empty()) {
    // What is read is as it was before: pinned, before anything is written.
    const Result<JobStatus> planned = watch(client, reading, JobPhase::surveying, run.quiet, ends);
    if (!planned.ok()) return planned.error();
    if (is_over(planned->phase)) TRY(check_done(*planned));  // then nothing is written
    const Result<JobId> writing = submit(client, run, written, true);
    if (!writing.ok()) {
      give_up(client, reading);
      return writing.error();
    }
    jobs.push_back(*writing);
  }
  const Status finished = finish(client, jobs, run, ends);
  ::pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  TRY(finished);
  ASSIGN(tasks::Table table, table_of(client, reading));
  if (!written.empty()) {
    ASSIGN(const tasks::Table of_writes, table_of(client, jobs.back()));
    ASSIGN(table, join_figures(std::move(table), of_writes));
  }
  for (auto& row : table.rows) {  // what is in no partition
    if (const auto* name = std::get_if<std::string>(&row.at(1)); name != nullptr && *name == "-") row.at(1) = {};
  }
  return table;
}

}  // namespace cairn::tools
