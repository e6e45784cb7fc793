#include "common/probes/rare_path.h"

#include <fmt/format.h>

namespace cairn {
namespace rare_path_internal {
std::array<std::atomic<uint64_t>, static_cast<size_t>(RarePath::count_)> counts{};
}

namespace {

constexpr std::array kNames = {
    "degraded_write",   "shortened_code",  "sealed_mid_stripe", "refused_boot",     "stale_append",
    "repeated_append",  "failed_sync",     "full_disk",         "unknown_commit",   "rewritten_tail",
    "degraded_read",    "hedged_read",     "damaged_record",    "torn_record",      "hole_punch",
    "replayed_request", "late_change",     "log_roll_over",     "log_trim",         "torn_log_tail",
    "log_replay",       "expired_session", "quarantine",        "backward_clock",   "recalled_lease",
    "released_orphan",  "recalled_inode",  "reclaimed_leases",  "replaced_session", "slept_past_ttl",
    "ended_in_recall",  "late_answer",     "decoded_shard",     "copied_shard",     "moved_shard",
    "refused_move",     "foreign_task",    "retried_task",      "backup_task",      "adopted_task",
    "resumed_job",      "second_result",   "lost_result",       "unwanted_output",  "decoded_task",
};
static_assert(kNames.size() == static_cast<size_t>(RarePath::count_));

}  // namespace

std::span<const char* const> rare_path_names() { return kNames; }
std::string_view name_of(RarePath path) { return kNames[static_cast<size_t>(path)]; }

RarePathCounts rare_path_counts() {
  RarePathCounts counts{};
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = rare_path_internal::counts[i].load(std::memory_order_relaxed);
  return counts;
}

void add_rare_paths(Metrics& metrics) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    metrics.gauge_from("cairn_rare_paths_total", "How often a path was taken that only trouble reaches",
                       fmt::format("path=\"{}\"", kNames[i]),
                       [i] { return static_cast<double>(rare_path_counts()[i]); });
  }
}

}  // namespace cairn
