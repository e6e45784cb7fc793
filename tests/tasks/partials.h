// Partials of one job, each with a place in memory for its runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/tasks/operator.h"
#include "common/tasks/run_store.h"

namespace cairn::tasks {

class Partials {
 public:
  explicit Partials(const Operator& op) : op_(op) {}
  std::unique_ptr<Partial> empty() { return with_runs(op_.empty()); }
  std::unique_ptr<Partial> with_runs(std::unique_ptr<Partial> partial) {
    const auto origin = static_cast<uint32_t>(stores_.size());
    stores_.push_back(std::make_unique<MemoryRuns>(origins_, origin, uint64_t{1} << 30));
    partial->use_runs(*stores_.back());
    return partial;
  }

 private:
  const Operator& op_;
  const std::shared_ptr<MemoryRuns::Origins> origins_ = std::make_shared<MemoryRuns::Origins>();
  std::vector<std::unique_ptr<MemoryRuns>> stores_;
};

// The result as text, or why there is none.
inline Result<std::string> text_of(Partial& partial) {
  std::string text;
  TRY(partial.write(
      [&](std::string_view piece) {
        text += piece;
        return Status();
      },
      false));
  return text;
}

}  // namespace cairn::tasks
