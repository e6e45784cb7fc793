// Results of tasks with sorted runs (Needs::runs), as their workers keep them, and as one who merges reads them.
//
//   runs | partial | u64 length of the partial          one file of the worker's spool
//
// The partial names its runs by (task, offset, length). It is fetched whole, its runs by pieces while they are merged.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/base/bytes.h"
#include "common/meta/jobs.h"
#include "common/tasks/run_store.h"

namespace cairn {

inline constexpr uint32_t kRunTrailerBytes = 8;

inline std::string with_trailer(std::string partial) {
  const uint64_t length = partial.size();
  return ByteWriter(std::move(partial)).u64(length).take();
}

// The runs of all tasks, and of what comes together at the merge, which is kept in memory. One thread.
class MergedRuns final : public tasks::RunStore {
 public:
  static constexpr uint64_t kMaxOwnBytes = 256u << 20;
  // Exactly so many bytes of a task's result.
  using ReadResult = std::function<Result<std::string>(uint32_t task, uint64_t offset, uint32_t bytes)>;

  explicit MergedRuns(ReadResult read) : read_(std::move(read)) {}
  uint32_t origin() const override { return own_.origin(); }
  uint64_t size() const override { return own_.size(); }
  Status append(std::string_view bytes) override { return own_.append(bytes); }
  Result<std::string> read(uint32_t origin, uint64_t offset, uint32_t bytes) override {
    return origin == own_.origin() ? own_.read(origin, offset, bytes) : read_(origin, offset, bytes);
  }

 private:
  const ReadResult read_;
  tasks::MemoryRuns own_{std::make_shared<tasks::MemoryRuns::Origins>(), UINT32_MAX, kMaxOwnBytes};
};

}  // namespace cairn
