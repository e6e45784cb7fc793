// Named moments at which a test lets a process die, between two steps that a crash may separate.
//
//   kill_point(KillPoint::log_entry_written);      costs one relaxed load while nothing is armed
//
// A real process is armed by its environment: CAIRN_KILL_POINT=NAME or NAME:N ends it, as kill -9 would, when it passes
// the point for the N-th time. A simulation sets a handler instead, which may kill the machine whose fiber has come by,
// or let it wait there: no mutex is held at a point.
// `cairn dev kill-points` lists them. Safe from any thread; arming and handlers are set before the threads start.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "common/base/result.h"

namespace cairn {

enum class KillPoint : uint8_t {
  // cairn-metaserver
  log_entry_written,
  log_entry_synced,
  batch_applied,
  segment_made,
  store_flushed,
  segment_removed,
  shards_removed,
  stripes_punched,
  shard_remade,
  shard_moved,
  // cairn-chunkserver
  shard_created,
  record_written,
  record_synced,
  append_done,
  shard_to_seal,
  shard_sealed,
  shard_punched,
  shard_removed,
  shard_staged,
  shard_staged_synced,
  shard_adopted,
  // cairn mount
  flush_taken,
  stripes_appended,
  stripes_synced,
  chunk_sealed,
  commit_answered,
  name_changed,
  // cairn-worker
  task_taken,
  task_done,
  output_written,
  count_,
};

struct KillPointInfo {
  KillPoint point;
  const char* name;     // as the enumerator
  const char* program;  // cairn-metaserver, cairn-chunkserver, cairn-mount or cairn-worker
  const char* what;     // what has been done, and what has not
};
std::span<const KillPointInfo> all_kill_points();
const KillPointInfo& info_of(KillPoint point);

// Takes CAIRN_KILL_POINT. invalid: it is set and names no point.
Status arm_kill_point_from_environment();

// A simulation's: called at each pass of each point, from the fiber that passes. Empty: none.
void set_kill_point_handler(std::function<void(KillPoint)> handler);

namespace kill_point_internal {
extern std::atomic<bool> armed;
void passed(KillPoint point);
}  // namespace kill_point_internal

inline void kill_point(KillPoint point) {
  if (kill_point_internal::armed.load(std::memory_order_relaxed)) kill_point_internal::passed(point);
}

}  // namespace cairn
