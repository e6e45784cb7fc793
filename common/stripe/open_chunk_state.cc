#include "common/stripe/open_chunk_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "common/probes/planted_bug.h"

namespace cairn {

OpenChunkState::OpenChunkState(const ChunkInfo& info)
    : chunk_(info.chunk),
      data_shards_(info.code.d),
      shard_limit_(info.shard_limit),
      next_place_(info.committed),
      end_(info.committed),
      committed_(info.committed) {
  for (const ServerId server : info.servers) shards_.push_back({server, {}, {}});
}

uint64_t OpenChunkState::give_place(uint64_t stride) {
  const uint64_t place = next_place_;
  if (planted(PlantedBug::reuse_place) && place > 0 && place % 7 == 0) return place;  // the next stripe comes here too
  next_place_ += stride;
  return place;
}

uint32_t OpenChunkState::next_first_cell(uint32_t cells) {
  uint32_t first = rotation_ % data_shards_;
  if (first + cells > data_shards_) first = 0;
  rotation_ = first + cells;
  return first;
}

Status OpenChunkState::on_appended(uint32_t index, uint64_t place, uint64_t record_end, bool synced, BootId boot,
                                   uint64_t end) {
  Shard& shard = shards_.at(index);
  if (shard.boot.has_value() && *shard.boot != boot && !planted(PlantedBug::ignore_boot)) {
    return broken_by(index, {Errc::stale_boot, "it has restarted since an earlier append"});
  }
  if (end != record_end) {
    return broken_by(index,
                     {Errc::io, fmt::format("its shard ends at {} after an append that ends at {}", end, record_end)});
  }
  if (!shard.unsynced.empty() && shard.unsynced.back().end > place) {
    return broken_by(index, {Errc::io, "it answered appends out of order"});
  }
  shard.boot = boot;
  shard.unsynced.push_back({place, record_end});
  if (synced) shard.unsynced.clear();
  return {};
}

void OpenChunkState::on_stripe_appended(uint64_t place_behind) {
  assert(place_behind > end_);
  end_ = place_behind;
}

std::vector<OpenChunkState::SyncAsk> OpenChunkState::syncs_for(uint64_t end) const {
  std::vector<SyncAsk> asks;
  for (uint32_t i = 0; i < shards_.size(); ++i) {
    const Shard& shard = shards_[i];
    if (shard.unsynced.empty() || shard.unsynced.front().place >= end) continue;
    asks.push_back({i, *shard.boot, shard.unsynced.back().end});  // what came since is synced along
  }
  return asks;
}

Status OpenChunkState::on_synced(const SyncAsk& ask, BootId boot, uint64_t end) {
  Shard& shard = shards_.at(ask.shard);
  if (boot != ask.boot && !planted(PlantedBug::ignore_boot))
    return broken_by(ask.shard, {Errc::stale_boot, "it has restarted since the append"});
  if (end < ask.end) {
    return broken_by(ask.shard, {Errc::io, fmt::format("its shard ends at {}, but {} was acknowledged", end, ask.end)});
  }
  while (!shard.unsynced.empty() && shard.unsynced.front().end <= ask.end) shard.unsynced.pop_front();
  return {};
}

void OpenChunkState::on_committed(uint64_t to) { committed_ = std::max(committed_, to); }

void OpenChunkState::on_failed(uint32_t shard, const Error& error) { (void)broken_by(shard, error); }

void OpenChunkState::break_down(std::string why) {
  if (broken_) return;
  broken_ = true;
  why_ = {Errc::io, std::move(why)};
}

Error OpenChunkState::broken_by(uint32_t index, Error error) {
  const ServerId server = shards_.at(index).server;
  error.what = fmt::format("chunk {}: shard {} on server {}: {}", raw(chunk_), index, raw(server), error.what);
  if (!broken_) {
    broken_ = true;
    why_ = error;
  }
  // A fence is the chunk's end, not the server's fault.
  const bool blame = error.code != Errc::stale_epoch;
  if (blame && std::ranges::find(failed_servers_, server) == failed_servers_.end()) failed_servers_.push_back(server);
  return error;
}

}  // namespace cairn
