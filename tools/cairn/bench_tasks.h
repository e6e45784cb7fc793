// The workloads of `cairn bench tasks`, and what is measured of them.
//
//   seed-1000x10M      files of CSV, made by the servers or found there; then operators over all of them, one by one
//   seed-100x10-p10    files in partitions; a table of tasks that reads each of them a number of times, and may write
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tasks/table.h"

namespace cairn::tools {

struct BenchTasks {
  std::string directory;  // under a mount; the files go into a directory below it
  uint32_t files = 0;
  uint64_t size = 0;  // of each file
  uint32_t partitions = 10;
  uint64_t reads = 10;  // of each file
  bool mixed = false;   // every third file is written instead
  std::string out;      // a directory for the tables; empty: they are not kept
  bool force = false;   // tables that are there are replaced
};
struct BenchResult {
  nlohmann::ordered_json json;
  std::string text;  // the same for people
};

Result<BenchResult> bench_operators(const BenchTasks& wanted);
Result<BenchResult> bench_partitions(const BenchTasks& wanted);

// A row for each partition, in the order of their first files: partition,files,reads,writes,bytes,seconds,errors. Of a
// table of figures (common/tasks/file_figures.h). Pure.
tasks::Table by_partition(const tasks::Table& by_file);

}  // namespace cairn::tools
