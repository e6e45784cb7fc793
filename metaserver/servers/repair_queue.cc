#include "metaserver/servers/repair_queue.h"

#include <algorithm>
#include <tuple>

namespace cairn {

namespace {

std::optional<WantReason> reason_of(ServerId server, const std::map<ServerId, Health>& health, bool lost) {
  const auto it = health.find(server);
  if (it == health.end() || it->second == Health::down) return WantReason::gone;
  if (lost) return WantReason::lost;
  if (it->second == Health::draining) return WantReason::draining;
  return std::nullopt;
}

}  // namespace

bool more_urgent(const RepairWant& a, const RepairWant& b) {
  const auto key = [](const RepairWant& want) {
    return std::tuple(want.reason == WantReason::draining, want.spare, UINT64_MAX - want.bytes, want.chunk, want.shard);
  };
  return key(a) < key(b);
}

std::vector<RepairWant> wants_of(const ChunkInfo& chunk, const std::map<ServerId, Health>& health, uint64_t lost) {
  std::vector<RepairWant> wants;
  if (!chunk.sealed || chunk.live_bytes == 0) return wants;
  int32_t present = 0;
  for (size_t shard = 0; shard < chunk.servers.size(); ++shard) {
    const bool gone = ((lost >> shard) & 1) != 0;
    const auto it = health.find(chunk.servers[shard]);
    if (!gone && it != health.end() && answers(it->second)) ++present;
    const auto reason = reason_of(chunk.servers[shard], health, gone);
    if (!reason) continue;
    wants.push_back(
        {chunk.chunk, static_cast<uint8_t>(shard), chunk.servers[shard], *reason, 0, chunk.live_bytes / chunk.code.d});
  }
  for (RepairWant& want : wants) want.spare = present - chunk.code.d;
  std::ranges::sort(wants, more_urgent);
  return wants;
}

void RepairScan::add(const ChunkInfo& chunk, const std::map<ServerId, Health>& health, uint64_t lost) {
  if (!chunk.sealed) {
    const bool leaves = std::ranges::any_of(chunk.servers, [&](ServerId server) {
      const auto reason = reason_of(server, health, false);
      return reason.has_value();
    });
    if (leaves && found_.to_seal.size() < most_) found_.to_seal.push_back(chunk.chunk);
    return;
  }
  for (const RepairWant& want : wants_of(chunk, health, lost)) {
    ++found_.shards;
    found_.bytes += want.bytes;
    found_.wants.push_back(want);
    std::ranges::push_heap(found_.wants, more_urgent);
    if (found_.wants.size() <= most_) continue;
    std::ranges::pop_heap(found_.wants, more_urgent);
    found_.wants.pop_back();
  }
}

RepairScan::Found RepairScan::take() {
  std::ranges::sort(found_.wants, more_urgent);
  return std::move(found_);
}

}  // namespace cairn
