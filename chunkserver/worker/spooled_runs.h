// The sorted runs of one attempt: in front of its result, in the spool. Only kept here; who merges fetches them.
#pragma once

#include <fmt/format.h>

#include <string>

#include "chunkserver/worker/spool.h"
#include "common/base/config.h"
#include "common/tasks/run_store.h"

namespace cairn {

class SpooledRuns final : public tasks::RunStore {
 public:
  SpooledRuns(Spool::Writer& file, uint32_t task) : file_(file), task_(task) {}

  uint32_t origin() const override { return task_; }
  uint64_t size() const override { return file_.bytes(); }
  // invalid: more than the result of a task may be. Every other attempt would find that too.
  Status append(std::string_view bytes) override {
    if (file_.bytes() + bytes.size() > kMaxRunBytes)
      return {Errc::invalid, fmt::format("task {} gives more than {} of sorted records; take smaller tasks with "
                                         "--task-bytes",
                                         task_, format_size(kMaxRunBytes))};
    return file_.append(bytes);
  }
  Result<std::string> read(uint32_t, uint64_t, uint32_t) override {
    return {Errc::not_supported, "a task does not read its own runs"};
  }

 private:
  static constexpr uint64_t kMaxRunBytes = kMaxSpooledPartial - (64u << 20);  // the rest is for the partial

  Spool::Writer& file_;
  const uint32_t task_;
};

}  // namespace cairn
