// The caller's ends of the pipes of one run, and the process at their other end.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "common/sandbox/plan.h"
#include "common/sandbox/sandbox.h"

namespace cairn::sandbox {

struct Run::Pipes {
  UniqueFd input, output, errors;  // not blocking; invalid when they have ended
  UniqueFd control;                // stays until the end: cancel() may come from another thread at any time
  pid_t supervisor = -1;
  OutputSink sink;
  Limits limits;
  Instant began{};

  std::optional<Verdict> verdict;
  uint64_t output_bytes = 0;
  bool too_much_output = false;
  std::string error_tail;  // up to twice what is kept
  Status sink_status;

  // Sends what may be sent and takes what is there, until all of `bytes` went, or nobody wants them. With until_end,
  // until the supervisor has spoken and both outputs have ended.
  Status exchange(std::string_view bytes, bool until_end);
  void kill() const;
  void reap();

 private:
  void send_some(std::string_view& bytes);
  Status take_output();
  void take_errors();
  void take_verdict();
  Status deliver(std::string_view bytes);
};

}  // namespace cairn::sandbox
