// Jobs over texts in memory, cut, shared out and merged at random: what every test of an operator asks.
#pragma once

#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/tasks/operator.h"
#include "common/tasks/registry.h"

namespace cairn::tasks {

// A job over these texts, as files f0, f1, ...; heads are filled in if the operator wants them.
Job job_of(const std::string& op, const Arguments& arguments, const std::vector<std::string>& texts);

// Maps one split, with its bytes in pieces of at most piece_bytes.
Status map_text(Partial& partial, const Split& split, const std::string& text, size_t piece_bytes);

// The answer on whole files: the table as CSV, or "error: ...".
std::string answer_whole(const Operator& op, const std::vector<std::string>& texts);

// The answer of a random cut (the mean length of splits is mean_split), a random sharing among tasks, each partial sent
// as bytes, and a random tree of merges.
std::string answer_cut(const Operator& op, const std::vector<std::string>& texts, Random& random, uint64_t mean_split);

}  // namespace cairn::tasks
