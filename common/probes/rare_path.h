// Paths that only trouble reaches, counted where they are taken: a campaign of tests shows by them that it was there,
// and an administrator sees them as cairn_rare_paths_total{path="..."}.
//
//   reached(RarePath::refused_boot);      one relaxed atomic addition
//
// The counts are of this process, since its start. Safe from any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/metrics.h"

namespace cairn {

enum class RarePath : uint8_t {
  // of writing
  degraded_write,     // a stripe whose chunk broke was stored again in another
  shortened_code,     // a chunk was granted with fewer data shards than its policy has
  sealed_mid_stripe,  // a shard was sealed in front of records that nobody committed
  refused_boot,       // a sync named a boot that is over
  stale_append,       // an append came behind its chunk's seal or fence
  repeated_append,    // an append was found to be stored already
  failed_sync,        // a sync of a shard failed
  full_disk,          // an append was refused for want of space
  unknown_commit,     // nobody knows whether a commit happened
  rewritten_tail,     // an append to a file replaced its unfilled last cell
  // of reading
  degraded_read,   // a stripe was decoded
  hedged_read,     // a late cell was asked for elsewhere too
  damaged_record,  // a record that was read is not what its extent says
  // of the chunkserver's files
  torn_record,  // the start-up check found the unfinished end of a record
  hole_punch,   // a dead stripe gave its space back
  // of the metaserver
  replayed_request,  // a retry was answered from its stored outcome
  late_change,       // a change came when its session had ended, or its answer was no longer waited for
  log_roll_over,     // a new log segment was begun
  log_trim,          // an old one was removed
  torn_log_tail,     // the end of the log was cut off at a start
  log_replay,        // commands were applied from the log at a start
  expired_session,   // a mount was silent for longer than its TTL
  quarantine,        // a chunk was condemned after its quarantine
  backward_clock,    // the wall clock stood before a command's time
  recalled_lease,    // a mount gave its lease of the tree back
  released_orphan,   // extents of a file without a name were given back
  // of leases
  recalled_inode,    // a mount gave the lease of an inode back
  reclaimed_leases,  // a mount named what it held to a metaserver that had restarted
  replaced_session,  // a mount whose session was gone went on with a new one
  slept_past_ttl,    // a mount was stopped, or its machine slept, until its session was certainly over
  ended_in_recall,   // a session ended while a lease was being recalled from it
  late_answer,       // a recall was answered by a mount whose session had ended
  // of repair
  decoded_shard,  // records of a lost shard were made again from others
  copied_shard,   // records of a shard were copied from its old server
  moved_shard,    // a chunk's row names another server for a shard
  refused_move,   // a shard was made again, but its row had changed meanwhile
  // of near-data jobs
  foreign_task,     // a task was given to another worker than its owner's
  retried_task,     // a task was given out again: its attempt had failed, or was lost with its worker
  backup_task,      // a slow task was started once more elsewhere
  adopted_task,     // a worker named an attempt that this run of the metaserver did not know
  resumed_job,      // a job went on after a restart of the metaserver
  second_result,    // a result came for a task that had one
  lost_result,      // a result was lost with its worker, and its task done again
  unwanted_output,  // an output was written, and its job was over or had another one
  decoded_task,     // a task read bytes that were made from parity
  count_,
};

std::span<const char* const> rare_path_names();  // in the order of the enumerators
std::string_view name_of(RarePath path);

using RarePathCounts = std::array<uint64_t, static_cast<size_t>(RarePath::count_)>;
RarePathCounts rare_path_counts();
void add_rare_paths(Metrics& metrics);

namespace rare_path_internal {
extern std::array<std::atomic<uint64_t>, static_cast<size_t>(RarePath::count_)> counts;
}

inline void reached(RarePath path, uint64_t times = 1) {
  rare_path_internal::counts[static_cast<size_t>(path)].fetch_add(times, std::memory_order_relaxed);
}

}  // namespace cairn
