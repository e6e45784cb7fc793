#include "common/tasks/run_store.h"

#include <fmt/format.h>

#include "common/base/config.h"

namespace cairn::tasks {

uint64_t MemoryRuns::size() const {
  const auto found = origins_->logs.find(origin_);
  return found == origins_->logs.end() ? 0 : found->second.size();
}

Status MemoryRuns::append(std::string_view bytes) {
  std::string& log = origins_->logs[origin_];
  if (log.size() + bytes.size() > limit_)
    return {Errc::too_big,
            fmt::format("the records that lie on borders of tasks are more than {} together", format_size(limit_))};
  log += bytes;
  return {};
}

Result<std::string> MemoryRuns::read(uint32_t origin, uint64_t offset, uint32_t bytes) {
  const auto found = origins_->logs.find(origin);
  if (found == origins_->logs.end() || offset > found->second.size() || bytes > found->second.size() - offset)
    return {Errc::corrupt, fmt::format("a run of task {} is not where its partial says", origin)};
  return found->second.substr(offset, bytes);
}

}  // namespace cairn::tasks
