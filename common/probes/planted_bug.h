// Bugs that are there only when a test plants them: each is one line of code left out or done wrong, as it could happen
// to a careful programmer. The simulation must find every one of them within a stated number of seeds
// (docs/failure_model.md), or it would not find the next real one.
//
//   if (planted(PlantedBug::skip_shard_sync)) return {};
//
// Without the build option CAIRN_PLANTED_BUGS, which only builds for tests have, planted() is a constant false and the
// line is no code at all. At most one is planted, before any thread starts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace cairn {

enum class PlantedBug : uint8_t {
  none,
  skip_shard_sync,
  skip_name_sync,
  skip_log_sync,
  commit_before_sync,
  ignore_boot,
  skip_epoch_check,
  swap_shards,
  reuse_place,
  delete_on_no_answer,
  forget_outcome,
  release_early,
  trim_log_early,
  believe_bad_record,
  forget_flush_error,
  believe_failed_sync,
  keep_recalled,
  recall_without_flush,
  admit_before_reclaim,
  trust_for_ever,
  keep_absent_names,
  show_own_change,
  count_twice,
  unpin_early,
  output_before_sync,
  count_,
};

struct PlantedBugInfo {
  PlantedBug bug;
  const char* name;  // as the enumerator
  const char* what;
  uint32_t within_seeds;  // the campaign must find it by then
  uint32_t known_seed;    // that finds it, and so shows the above at once
};
std::span<const PlantedBugInfo> all_planted_bugs();  // without none
std::optional<PlantedBug> planted_bug_named(std::string_view name);

#ifdef CAIRN_PLANTED_BUGS
inline constexpr bool kBugsCanBePlanted = true;
namespace planted_bug_internal {
extern PlantedBug now;
}
inline bool planted(PlantedBug bug) { return planted_bug_internal::now == bug; }
void plant(PlantedBug bug);
#else
inline constexpr bool kBugsCanBePlanted = false;
constexpr bool planted(PlantedBug) { return false; }
#endif

}  // namespace cairn
