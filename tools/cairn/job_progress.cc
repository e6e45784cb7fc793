#include "tools/cairn/job_progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/cairn/text_table.h"

namespace cairn::tools {
namespace {

constexpr Duration kSure = 1s;  // before, a rate says little

}  // namespace

std::string JobProgress::on_status(const JobStatus& status, Instant now) {
  if (status.phase != phase_ || status.bytes_done < bytes_then_) {
    phase_ = status.phase;
    since_ = now;
    bytes_then_ = status.bytes_done;
  }
  std::string line = name_of(status.phase);
  if (status.phase == JobPhase::receiving || status.phase == JobPhase::planning)
    return line + fmt::format(": {} of {}", status.planned, counted(status.inputs, "file"));
  const auto phase = std::ranges::find(status.phases, status.phase, &PhaseCount::phase);
  if (phase == status.phases.end()) return line;
  line += fmt::format(": {} of {}", phase->done, counted(phase->tasks, "task"));
  if (status.phase == JobPhase::merging) return line;
  line += fmt::format(", {} of {}", human_bytes(std::min(status.bytes_done, status.bytes)), human_bytes(status.bytes));
  if (phase->running == 0 && !status.waiting.empty()) return line + "; " + status.waiting;
  const double seconds = std::chrono::duration<double>(now - since_).count();
  const uint64_t here = status.bytes_done - bytes_then_;
  if (now - since_ < kSure || here == 0) return line;
  const double rate = static_cast<double>(here) / seconds;
  const uint64_t left = status.bytes - std::min(status.bytes_done, status.bytes);
  return line + fmt::format(", {}/s, {} left", human_bytes(static_cast<uint64_t>(rate)),
                            human_milliseconds(static_cast<int64_t>(static_cast<double>(left) / rate * 1000)));
}

std::string summary_of(const JobStatus& status) {
  const TaskCounters& sum = status.counters;
  std::string line =
      fmt::format("job {} {}: {}, {}, in {}; {} read near the data, {} moved", raw(status.job), status.op,
                  counted(status.inputs, "file"), human_bytes(status.bytes), human_milliseconds(status.elapsed_ms),
                  human_bytes(sum.bytes_local), human_bytes(sum.bytes_network + sum.bytes_sent));
  if (sum.bytes_decoded > 0) line += fmt::format(", {} rebuilt", human_bytes(sum.bytes_decoded));
  return line;
}

}  // namespace cairn::tools
