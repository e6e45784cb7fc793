#include "common/probes/kill_point.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <string>

namespace cairn {
namespace kill_point_internal {
std::atomic<bool> armed = false;
}

namespace {

constexpr const char* kMeta = "cairn-metaserver";
constexpr const char* kChunk = "cairn-chunkserver";
constexpr const char* kMount = "cairn-mount";
constexpr const char* kWorker = "cairn-worker";
constexpr std::array kPoints = {
    KillPointInfo{KillPoint::log_entry_written, "log_entry_written", kMeta, "a log entry is written, not synced"},
    KillPointInfo{KillPoint::log_entry_synced, "log_entry_synced", kMeta, "a log entry is synced, not applied"},
    KillPointInfo{KillPoint::batch_applied, "batch_applied", kMeta, "a batch is applied, nobody has been answered"},
    KillPointInfo{KillPoint::segment_made, "segment_made", kMeta, "a log segment's header is synced, its name is not"},
    KillPointInfo{KillPoint::store_flushed, "store_flushed", kMeta, "the store is flushed, the log is not trimmed"},
    KillPointInfo{KillPoint::segment_removed, "segment_removed", kMeta, "a log segment is removed, not yet durably"},
    KillPointInfo{KillPoint::shards_removed, "shards_removed", kMeta,
                  "all servers have removed a chunk's shards, the log does not say so"},
    KillPointInfo{KillPoint::stripes_punched, "stripes_punched", kMeta,
                  "all servers have punched a stripe, the log does not say so"},
    KillPointInfo{KillPoint::shard_remade, "shard_remade", kMeta,
                  "a lost shard is made again on another server, the log does not say so"},
    KillPointInfo{KillPoint::shard_moved, "shard_moved", kMeta, "the log says where a shard is now, nobody is told"},
    KillPointInfo{KillPoint::shard_created, "shard_created", kChunk, "a shard's file is made, its name is not synced"},
    KillPointInfo{KillPoint::record_written, "record_written", kChunk, "a record is written, not synced"},
    KillPointInfo{KillPoint::record_synced, "record_synced", kChunk, "records are synced, the file's name may not be"},
    KillPointInfo{KillPoint::append_done, "append_done", kChunk, "an append is done, not answered"},
    KillPointInfo{KillPoint::shard_to_seal, "shard_to_seal", kChunk, "a shard's bytes are synced, it is not renamed"},
    KillPointInfo{KillPoint::shard_sealed, "shard_sealed", kChunk, "a sealed shard is renamed, not yet durably"},
    KillPointInfo{KillPoint::shard_punched, "shard_punched", kChunk, "a stripe is punched, that is not answered"},
    KillPointInfo{KillPoint::shard_removed, "shard_removed", kChunk, "a shard's file is removed, not yet durably"},
    KillPointInfo{KillPoint::shard_staged, "shard_staged", kChunk, "a shard is made again, its bytes are not synced"},
    KillPointInfo{KillPoint::shard_staged_synced, "shard_staged_synced", kChunk,
                  "the bytes of a shard that is made again are synced, it does not have its name"},
    KillPointInfo{KillPoint::shard_adopted, "shard_adopted", kChunk,
                  "a shard that was made again has its name, not yet durably"},
    KillPointInfo{KillPoint::flush_taken, "flush_taken", kMount, "a flush has its bytes, nothing is sent"},
    KillPointInfo{KillPoint::stripes_appended, "stripes_appended", kMount,
                  "stripes are appended, nobody was asked to sync them"},
    KillPointInfo{KillPoint::stripes_synced, "stripes_synced", kMount, "stripes are synced, not committed"},
    KillPointInfo{KillPoint::chunk_sealed, "chunk_sealed", kMount,
                  "a full or broken chunk is sealed, what it lost may not be stored elsewhere yet"},
    KillPointInfo{KillPoint::commit_answered, "commit_answered", kMount, "a commit is answered, the caller is not"},
    KillPointInfo{KillPoint::name_changed, "name_changed", kMount, "a change of names is done, the caller not told"},
    KillPointInfo{KillPoint::task_taken, "task_taken", kWorker, "a task was given to a worker, nothing of it is done"},
    KillPointInfo{KillPoint::task_done, "task_done", kWorker, "a task's result is made, nobody was told"},
    KillPointInfo{KillPoint::output_written, "output_written", kWorker,
                  "a job's output is durable under its hidden name, nobody was told"},
};
static_assert(kPoints.size() == static_cast<size_t>(KillPoint::count_));

std::function<void(KillPoint)> the_handler;

// A real process: the N-th pass is its death.
class Countdown {
 public:
  Countdown(KillPoint point, uint64_t passes) : point_(point), left_(passes) {}
  void operator()(KillPoint point) {
    if (point != point_ || left_.fetch_sub(1) != 1) return;
    ::kill(::getpid(), SIGKILL);
    while (true) ::pause();  // the signal is on its way
  }

 private:
  const KillPoint point_;
  std::atomic<uint64_t> left_;
};

}  // namespace

std::span<const KillPointInfo> all_kill_points() { return kPoints; }
const KillPointInfo& info_of(KillPoint point) { return kPoints[static_cast<size_t>(point)]; }

void set_kill_point_handler(std::function<void(KillPoint)> handler) {
  the_handler = std::move(handler);
  kill_point_internal::armed = the_handler != nullptr;
}

void kill_point_internal::passed(KillPoint point) { the_handler(point); }

Status arm_kill_point_from_environment() {
  const char* const text = std::getenv("CAIRN_KILL_POINT");
  if (text == nullptr || *text == '\0') return {};
  const std::string_view whole(text);
  const std::string_view name = whole.substr(0, whole.find(':'));
  uint64_t passes = 1;
  bool good = true;
  if (name.size() < whole.size()) {
    const std::string_view number = whole.substr(name.size() + 1);
    const auto parsed = std::from_chars(number.begin(), number.end(), passes);
    good = parsed.ec == std::errc{} && parsed.ptr == number.end() && passes > 0;
  }
  for (const KillPointInfo& info : kPoints) {
    if (!good || info.name != name) continue;
    set_kill_point_handler(
        [countdown = std::make_shared<Countdown>(info.point, passes)](KillPoint point) { (*countdown)(point); });
    return {};
  }
  return Error{Errc::invalid, fmt::format("CAIRN_KILL_POINT=\"{}\" is not NAME or NAME:N of a kill point; "
                                          "`cairn dev kill-points` lists them",
                                          whole)};
}

}  // namespace cairn
