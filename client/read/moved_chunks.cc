#include "client/read/moved_chunks.h"

#include <algorithm>

namespace cairn {

ChunkInfo MovedChunks::latest(const ChunkInfo& chunk) const {
  ChunkInfo latest = chunk;
  const Lock lock(mutex_);
  const auto known = chunks_.find(chunk.chunk);
  if (known != chunks_.end() && known->second.before == chunk.servers) latest.servers = known->second.now;
  return latest;
}

// Notes the question, so that not every reader asks.
bool MovedChunks::may_ask(const ChunkInfo& used) {
  const Instant now = clock_.now();
  const Lock lock(mutex_);
  const auto known = chunks_.find(used.chunk);
  if (known != chunks_.end() && known->second.now == used.servers && now - known->second.asked_at < kAskAgain)
    return false;
  if (chunks_.size() >= kMost) chunks_.clear();
  Known& entry = chunks_[used.chunk];
  // What replaces servers that replaced others stands in for the first ones, too.
  if (entry.now != used.servers) entry.before = entry.now = used.servers;
  entry.asked_at = now;
  return true;
}

bool MovedChunks::learn(const ChunkInfo& used, const ReadOutcome& outcome) {
  const bool missed = std::ranges::any_of(
      outcome.troubles, [](const ReadTrouble& trouble) { return trouble.error.code == Errc::not_found; });
  if ((outcome.status.ok() && !missed) || !may_ask(used)) return false;
  const auto row = ask_(used.chunk);
  if (!row.ok() || row->code != used.code || row->servers == used.servers) return false;
  const Lock lock(mutex_);
  if (const auto known = chunks_.find(used.chunk); known != chunks_.end()) known->second.now = row->servers;
  return true;
}

}  // namespace cairn
