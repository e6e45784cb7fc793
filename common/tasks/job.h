// What a job of near-data tasks is: an operator with its arguments, over the bytes of files.
//
//   job     operator + arguments + files       one value for the command line, the metaserver and every worker
//   task    some splits of the job's files     what one worker maps; its answer is one partial
//   split   a contiguous range of one file     what lies together: a piece of a plain file, or cells on one server
//
// Plain values. Not here: what an operator does with them (operator.h); docs/tasks.md has the whole picture.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cairn::tasks {

inline constexpr size_t kMaxFiles = 1u << 20;           // of one job
inline constexpr size_t kMaxArgumentBytes = 1u << 16;   // of one argument's text
inline constexpr size_t kMaxHeadBytes = 1u << 20;       // the header line of a CSV file
inline constexpr size_t kMaxRecordBytes = 16u << 20;    // a longer line or CSV record is an error
inline constexpr size_t kMaxPartialBytes = 512u << 20;  // an encoded partial

struct InputFile {
  std::string name;  // for people and for the table: as the user wrote it
  uint64_t size = 0;
  std::string head;  // the first CSV record with its line end; empty unless the operator needs it
};

// Argument names without dashes: {"column", "amount"}; a flag that is set has the text "true".
using Arguments = std::map<std::string, std::string>;

struct Job {
  std::string op;
  Arguments arguments;
  std::vector<InputFile> files;
};

struct Split {
  uint32_t file = 0;  // index in Job::files
  uint64_t begin = 0, end = 0;
  bool starts_inside_quotes = false;  // CSV alone: see quote_survey.h
};

}  // namespace cairn::tasks
