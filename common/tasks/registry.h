// Which operators there are, what arguments they take, and how one is made from a job.
//
// Adding one: a file in operators/ with its OperatorInfo, its line in registry.cc, its test: see docs/tasks.md.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/tasks/operator.h"

namespace cairn::tasks {

struct OptionInfo {
  const char* name;   // without dashes
  const char* value;  // what stands for its text in a help; empty for a flag
  const char* help;
  enum class Kind : uint8_t { optional, required, positional } kind = Kind::optional;  // positional: required too
  bool is_file = false;  // who reads the command line puts the file's bytes in its place
};

struct OperatorInfo {
  const char* name;
  const char* summary;   // one line
  const char* explains;  // what it does exactly, and examples; lines of at most 120 characters
  std::vector<OptionInfo> options;
  Needs (*needs)(const Arguments& arguments);
  Result<std::unique_ptr<Operator>> (*make)(const Job& job);  // arguments are known by name, required ones are there
};

std::span<const OperatorInfo> operators();
// Null for an unknown name.
const OperatorInfo* find_operator(std::string_view name);
// invalid: what is wrong with the operator's name, an argument, or a file's header. The operator keeps copies.
Result<std::unique_ptr<Operator>> make_operator(const Job& job);

// One for each file of operators/.
OperatorInfo bsearch_operator();
OperatorInfo checksum_operator();
OperatorInfo convert_operator();
OperatorInfo dedup_report_operator();
OperatorInfo exec_operator();
OperatorInfo generate_operator();
OperatorInfo grep_operator();
OperatorInfo read_operator();
OperatorInfo sort_operator();
OperatorInfo stats_operator();
OperatorInfo top_operator();
OperatorInfo wc_operator();
OperatorInfo write_operator();

}  // namespace cairn::tasks
