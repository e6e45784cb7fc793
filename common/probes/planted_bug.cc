#include "common/probes/planted_bug.h"

#include <algorithm>
#include <array>

namespace cairn {
namespace {

// The last number of each is a seed that finds it in the present code; 0: none is known at present.
constexpr std::array kBugs = {
    PlantedBugInfo{PlantedBug::skip_shard_sync, "skip_shard_sync",
                   "a chunkserver answers a sync without fdatasync of the shard", 50, 2},
    PlantedBugInfo{PlantedBug::skip_name_sync, "skip_name_sync",
                   "a chunkserver answers a sync without fsync of the new shard's folder", 50, 5},
    PlantedBugInfo{PlantedBug::skip_log_sync, "skip_log_sync", "the metaserver answers before its log is synced", 50,
                   2},
    PlantedBugInfo{PlantedBug::commit_before_sync, "commit_before_sync",
                   "a client commits stripes whose shards are not synced", 50, 5},
    PlantedBugInfo{PlantedBug::ignore_boot, "ignore_boot",
                   "client and chunkserver take a sync for good although the server has restarted since the append",
                   600, 519},
    PlantedBugInfo{PlantedBug::skip_epoch_check, "skip_epoch_check",
                   "a commit is taken although its session has ended and its chunk is sealed", 300, 32},
    PlantedBugInfo{PlantedBug::swap_shards, "swap_shards",
                   "the metaserver exchanges two servers of a chunk when it seals it", 50, 2},
    PlantedBugInfo{PlantedBug::reuse_place, "reuse_place",
                   "a writer uses one place twice, and the chunkserver does not compare what lies there", 50, 1},
    PlantedBugInfo{PlantedBug::delete_on_no_answer, "delete_on_no_answer",
                   "the metaserver takes a server's silence for the removal of its shard, and does not look again", 300,
                   32},
    PlantedBugInfo{PlantedBug::forget_outcome, "forget_outcome",
                   "the metaserver carries out a retried request once more", 200, 9},
    PlantedBugInfo{PlantedBug::release_early, "release_early",
                   "a stripe gives its space back while a part of it is still referred to", 50, 1},
    PlantedBugInfo{PlantedBug::trim_log_early, "trim_log_early",
                   "the metaserver removes log segments that its store has not flushed", 50, 2},
    PlantedBugInfo{PlantedBug::believe_bad_record, "believe_bad_record",
                   "a reader does not look at the checksums of what it has read", 300, 85},
    PlantedBugInfo{PlantedBug::forget_flush_error, "forget_flush_error",
                   "a client forgets the bytes of a flush that failed", 200, 37},
    PlantedBugInfo{PlantedBug::believe_failed_sync, "believe_failed_sync",
                   "the metaserver believes what it sees in its log after a sync that failed (it did once)", 50, 2},
    PlantedBugInfo{PlantedBug::keep_recalled, "keep_recalled",
                   "a mount goes on believing what it cached under a lease that it has given back", 100, 1},
    PlantedBugInfo{PlantedBug::recall_without_flush, "recall_without_flush",
                   "a mount gives a write lease back before what it buffered is committed", 100, 1},
    PlantedBugInfo{PlantedBug::admit_before_reclaim, "admit_before_reclaim",
                   "a metaserver that has restarted lets mounts go on before all have named their leases", 300, 12},
    PlantedBugInfo{PlantedBug::trust_for_ever, "trust_for_ever",
                   "a mount believes what it has cached until it is told that its session is over", 300, 43},
    PlantedBugInfo{PlantedBug::keep_absent_names, "keep_absent_names",
                   "a mount that gives the lease of a directory back forgets its names, but not the absent ones", 100,
                   10},
    PlantedBugInfo{PlantedBug::show_own_change, "show_own_change",
                   "a mount answers lookups from its cache while its own change of the directory is under way", 300,
                   79},
    PlantedBugInfo{PlantedBug::count_twice, "count_twice",
                   "the result of a near-data task counts although the task has one", 300, 97},
    PlantedBugInfo{PlantedBug::unpin_early, "unpin_early",
                   "the janitor gives back what died although a near-data job has pinned it", 300, 76},
    PlantedBugInfo{PlantedBug::output_before_sync, "output_before_sync",
                   "a worker lets a job's output have its name before it is synced", 600, 318},
};
static_assert(kBugs.size() + 1 == static_cast<size_t>(PlantedBug::count_));
static_assert(std::ranges::all_of(kBugs, [](const PlantedBugInfo& info) {
  return info.known_seed > 0 && info.known_seed <= info.within_seeds;
}));

}  // namespace

std::span<const PlantedBugInfo> all_planted_bugs() { return kBugs; }

std::optional<PlantedBug> planted_bug_named(std::string_view name) {
  for (const PlantedBugInfo& info : kBugs) {
    if (info.name == name) return info.bug;
  }
  return std::nullopt;
}

#ifdef CAIRN_PLANTED_BUGS
namespace planted_bug_internal {
PlantedBug now = PlantedBug::none;
}
void plant(PlantedBug bug) { planted_bug_internal::now = bug; }
#endif

}  // namespace cairn
