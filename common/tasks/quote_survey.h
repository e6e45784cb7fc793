// Whether a split of a CSV file starts inside quotes: found exactly, in two passes.
//
//   pass 1    each split, anywhere, in any order: is its number of quotes odd?    one bit each, at the speed of memory
//   between   the xor of all bits before a split is its state                     finish()
//   pass 2    each split is cut into records, from the right state                record_splitter.h
//
// A split of CSV alone does not tell whether its first byte is quoted text (a record of `x,"\n1,2\n3,4\n"` looks like
// two). Ge et al., "Speculative Distributed CSV Data Parsing" (SIGMOD 2019), compare this two-pass form with guessing
// and verifying; parity instead of a parser's state is how Mison (Li et al., VLDB 2017) finds the strings of JSON. We
// take the two passes: exact for every input, and no partial has to hold two hypotheses. Whoever guesses instead
// ("outside", nearly always right) loses no exactness: join_seams() refuses a wrong guess, and the split is mapped
// again.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tasks/job.h"

namespace cairn::tasks {

// Whether these bytes have an odd number of quotes: what a split adds, joined by xor.
bool odd_quotes(std::string_view bytes);

class QuoteSurvey {
 public:
  // The splits of a job, each byte in one of them; all outlive it. Their order stays.
  explicit QuoteSurvey(std::vector<Split>& splits) : splits_(splits), odd_(splits.size()) {}
  // Pieces of a split come in any number and order. Different splits may be set from different threads.
  void add(size_t split, std::string_view bytes);
  // Writes starts_inside_quotes of each split. Requires that the splits of a file leave no gap.
  void finish();

 private:
  std::vector<Split>& splits_;
  std::vector<uint8_t> odd_;  // bytes, not bits: threads write neighbours
};

}  // namespace cairn::tasks
