// Sorted runs of `cairn task try`: one file without a name for each thread, below TMPDIR.
#pragma once

#include <memory>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/tasks/run_store.h"

namespace cairn::tools {

class TemporaryRuns final : public tasks::RunStore {
 public:
  using All = std::vector<std::unique_ptr<TemporaryRuns>>;
  // Its index in `all`, which outlives it, and whose others it reads: when they are not appended to any more.
  TemporaryRuns(const All& all, uint32_t index) : all_(all), index_(index) {}

  uint32_t origin() const override { return index_; }
  uint64_t size() const override { return size_; }
  Status append(std::string_view bytes) override;  // makes the file first
  Result<std::string> read(uint32_t origin, uint64_t offset, uint32_t bytes) override;

 private:
  const All& all_;
  const uint32_t index_;
  UniqueFd file_;
  uint64_t size_ = 0;
};

}  // namespace cairn::tools
