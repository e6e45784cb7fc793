// A table of tasks (common/tasks/task_table.h) on a cluster: a job of reads and a job of writes at the same time, and
// one table of both.
#pragma once

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/types.h"
#include "common/tasks/job.h"
#include "common/tasks/table.h"
#include "common/tasks/task_table.h"

namespace cairn::tools {

// From a file, or standard input ("-"). Relative names of files count from base (empty: the working directory).
Result<std::vector<tasks::TableEntry>> load_task_table(const std::string& path, const std::string& base);

struct TableRun {
  std::vector<tasks::TableEntry> entries;  // absolute names of files under one mount
  Address metaserver;
  std::string mountpoint;
  tasks::Arguments of_reads, of_writes;  // but for times, size and partition
  uint64_t task_bytes = 0;
  Duration time_limit{};
  bool quiet = false;
};
// A row for each entry, in order: file,partition,reads,writes,bytes,seconds,errors. Ctrl-C cancels both jobs.
Result<tasks::Table> run_task_table(const TableRun& run);

// The figures of both tables for each file of the first; the second has some of its files. Pure.
Result<tasks::Table> join_figures(tasks::Table reads, const tasks::Table& writes);

}  // namespace cairn::tools
