#include "metaserver/servers/shard_sweep.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/planted_bug.h"
#include "metaserver/state/queries.h"

namespace cairn {
namespace {

constexpr Duration kFirstPass = 60s;
constexpr uint32_t kPage = 1024;                                                        // of rows
constexpr uint32_t kShardPage = 128;                                                    // of a server's listing
constexpr uint32_t kChunksPerServer = 128, kFewestChunks = 1024, kMostChunks = 32'768;  // of a step
constexpr size_t kMostRemovals = 10'000;                                                // of a pass
constexpr size_t kNamed = 5;                                                            // in one line of the log

std::string text_of(const std::vector<ShardAt>& shards) {
  std::string text;
  for (size_t i = 0; i < std::min(shards.size(), kNamed); ++i) {
    text += fmt::format("{}chunk {} shard {} on chunkserver {}", i == 0 ? "" : ", ", raw(shards[i].chunk),
                        shards[i].shard, raw(shards[i].server));
  }
  if (shards.size() > kNamed) text += fmt::format(" and {} more", shards.size() - kNamed);
  return text;
}

void append_to(std::vector<ShardAt>& all, const std::vector<ShardAt>& some) {
  all.insert(all.end(), some.begin(), some.end());
}

}  // namespace

ShardSweep::ShardSweep(Clock& clock, const OrderedStore& store, const Cluster& cluster, ShardInventory& servers,
                       Options options)
    : clock_(clock), store_(store), cluster_(cluster), servers_(servers), options_(options) {}

ShardSweep::~ShardSweep() { stop(); }

void ShardSweep::start() {
  thread_ = Thread("shard sweep", [this] { run(); });
}

void ShardSweep::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool ShardSweep::rest(Duration time) {
  Lock lock(mutex_);
  wake_.wait_until(lock, clock_.now() + time, [&] { return stopping_; });
  return !stopping_;
}

void ShardSweep::run() {
  for (Duration wait = std::min(options_.interval, kFirstPass); rest(wait); wait = options_.interval) {
    if (const Status done = pass(); !done.ok())
      spdlog::warn("the sweep of the shards begins anew in a while: {}", done.error().what);
  }
}

Status ShardSweep::pass() {
  if (planted(PlantedBug::delete_on_no_answer)) return {};
  removed_.clear();
  foreign_now_.clear();
  judged_.clear();
  for (const auto& [server, health] : cluster_.health()) {
    if (answers(health)) judged_.insert(server);
  }
  for (ChunkId after{};;) {
    ASSIGN(const bool more, step(after));
    if (!more) break;
    if (!rest(options_.pause)) return {};
  }
  return end_pass();
}

Result<ChunkRows> ShardSweep::rows_of(const StoreView& view, ChunkRange range) const {
  ChunkRows rows;
  const auto collect = [&](const auto& page_behind, const auto& add) -> Status {
    for (ChunkId after = range.after;;) {
      ASSIGN(const std::vector<ChunkInfo> page, page_behind(after));
      for (const ChunkInfo& chunk : page) {
        if (!range.contains(chunk.chunk)) return {};
        add(chunk);
      }
      if (page.size() < kPage) return {};
      after = page.back().chunk;
    }
  };
  TRY(collect([&](ChunkId after) { return queries::chunks(view, after, kPage); },
              [&](const ChunkInfo& chunk) { rows.chunks.emplace(chunk.chunk, chunk); }));
  TRY(collect([&](ChunkId after) { return queries::pending_seals(view, after, kPage); },
              [&](const ChunkInfo& chunk) { rows.unconfirmed_seals.insert(chunk.chunk); }));
  return rows;
}

Result<bool> ShardSweep::step(ChunkId& after) {
  const auto servers = static_cast<uint32_t>(judged_.size());
  const uint32_t most = options_.step_chunks != 0 ? options_.step_chunks
                                                  : std::clamp(servers * kChunksPerServer, kFewestChunks, kMostChunks);
  const auto earlier = store_.view();
  ASSIGN(const auto chunks, queries::chunks(*earlier, after, most));
  const bool last = chunks.size() < most;
  const ChunkRange range{after, last ? ChunkId{UINT64_MAX} : chunks.back().chunk};
  ASSIGN(const ChunkRows before, rows_of(*earlier, range));

  const std::map<ServerId, Listing> listings = ask(range);

  const auto later = store_.view();  // after every answer has come
  ASSIGN(const ChunkRows now, rows_of(*later, range));
  ASSIGN(const auto counters, queries::counters(*later));
  ShardFindings sum;
  std::set<ServerId> asked;
  for (const auto& [server, listing] : listings) {
    asked.insert(server);
    ASSIGN(const ShardFindings found, compare_shards(server, listing, range, before, now, ChunkId{counters.next_chunk},
                                                     [&](const ChunkInfo& chunk, uint8_t shard) {
                                                       return queries::least_shard_end(*later, chunk, shard);
                                                     }));
    append_to(sum.removed, found.removed);
    append_to(sum.misplaced, found.misplaced);
    append_to(sum.foreign, found.foreign);
    append_to(sum.lost, found.lost);
  }
  TRY(leave_out_stale(*earlier, sum.misplaced));
  TRY(leave_out_stale(*later, sum.misplaced));
  append_to(removed_, sum.removed);
  for (const ShardAt& shard : sum.foreign) foreign_now_[shard.server] = shard.chunk;
  if (!sum.misplaced.empty())
    spdlog::warn("{} shards lie where their chunk's row does not name them, and are left alone: {}",
                 sum.misplaced.size(), text_of(sum.misplaced));
  note_lost(range, now, asked, sum.lost);
  {
    const Lock lock(mutex_);
    counts_.misplaced += sum.misplaced.size();
    counts_.foreign += sum.foreign.size();
  }
  after = range.upto;
  return !last;
}

std::map<ServerId, ShardSweep::Listing> ShardSweep::ask(ChunkRange range) {
  std::map<ServerId, Listing> listings;
  const std::set<ServerId> servers = judged_;
  for (const ServerId server : servers) {
    auto listing = cluster_.answers(server) ? list(server, range) : Error{Errc::unavailable, "it is not up any more"};
    if (listing.ok()) {
      listings.emplace(server, std::move(*listing));
      continue;
    }
    judged_.erase(server);  // until the next pass
    spdlog::debug("chunkserver {} does not list its shards: {}", raw(server), listing.error().what);
  }
  return listings;
}

Result<ShardSweep::Listing> ShardSweep::list(ServerId server, ChunkRange range) {
  Listing all;
  for (ChunkId after = range.after;;) {
    ASSIGN(const Listing page,
           servers_.list(server, options_.incarnation, after, kShardPage, clock_.now() + options_.call_timeout));
    for (const ShardSummary& shard : page) {
      if (shard.chunk <= after) return Error{Errc::invalid, "it lists shards out of order"};
      if (range.contains(shard.chunk)) all.push_back(shard);
    }
    if (page.size() < kShardPage || page.back().chunk >= range.upto) return all;
    after = page.back().chunk;
  }
}

// Those that a move has left behind, or that are being made before a move, are somebody else's work.
Status ShardSweep::leave_out_stale(const StoreView& view, std::vector<ShardAt>& misplaced) const {
  std::vector<ShardAt> rest;
  for (const ShardAt& shard : misplaced) {
    ASSIGN(const auto since_ns, queries::stale_since_ns(view, {shard.server, shard.chunk, shard.shard}));
    if (!since_ns) rest.push_back(shard);
  }
  misplaced = std::move(rest);
  return {};
}

void ShardSweep::found(ChunkId chunk, uint8_t shard) {
  const Lock lock(mutex_);
  LostShards next = *lost_;
  const auto it = next.find(chunk);
  if (it == next.end() || ((it->second >> shard) & 1) == 0) return;
  it->second &= ~(uint64_t{1} << shard);
  if (it->second == 0) next.erase(it);
  lost_ = std::make_shared<const LostShards>(std::move(next));
  --counts_.lost;
}

void ShardSweep::note_lost(ChunkRange range, const ChunkRows& rows, const std::set<ServerId>& asked,
                           const std::vector<ShardAt>& lost) {
  std::map<ChunkId, uint64_t> found;
  for (const ShardAt& shard : lost) found[shard.chunk] |= uint64_t{1} << shard.shard;
  LostShards next = *this->lost();
  std::erase_if(next,
                [&](const auto& entry) { return range.contains(entry.first) && !rows.chunks.contains(entry.first); });
  for (const auto& [id, chunk] : rows.chunks) {
    const auto known = next.find(id);
    const auto here = found.find(id);
    uint64_t mask = here == found.end() ? 0 : here->second;
    for (size_t shard = 0; known != next.end() && shard < chunk.servers.size(); ++shard) {
      if (!asked.contains(chunk.servers[shard])) mask |= known->second & (uint64_t{1} << shard);
    }
    if (mask != 0) {
      next[id] = mask;
    } else if (known != next.end()) {
      next.erase(known);
    }
  }
  if (next == *this->lost()) return;
  if (!lost.empty()) spdlog::error("{} shards of sealed chunks are lost: {}", lost.size(), text_of(lost));
  uint64_t count = 0;
  for (const auto& [id, mask] : next) count += static_cast<uint64_t>(__builtin_popcountll(mask));
  const Lock lock(mutex_);
  lost_ = std::make_shared<const LostShards>(std::move(next));
  counts_.lost = count;
}

Status ShardSweep::end_pass() {
  std::erase_if(foreign_, [&](const auto& entry) { return judged_.contains(entry.first); });
  for (const auto& [server, chunk] : foreign_now_) foreign_[server] = chunk;
  std::string trouble;
  if (!foreign_.empty()) {
    trouble = fmt::format(
        "chunkserver {} has shards of chunk {}, which this metadata has never given: it is older than the data, as a "
        "restored backup is. No shard is swept away until that is resolved",
        raw(foreign_.begin()->first), raw(foreign_.begin()->second));
    spdlog::critical("{}", trouble);
  }
  {
    const Lock lock(mutex_);
    ++counts_.passes;
    trouble_ = trouble;
  }
  if (!foreign_.empty()) return {};
  if (removed_.size() > kMostRemovals) removed_.resize(kMostRemovals);
  if (!removed_.empty())
    spdlog::warn("{} shards of removed chunks have come back, and are removed: {}", removed_.size(), text_of(removed_));
  for (const ShardAt& shard : removed_) {
    if (!rest(0s)) return {};
    TRY(remove(shard));
  }
  return {};
}

Status ShardSweep::remove(const ShardAt& shard) {
  const auto view = store_.view();
  ASSIGN(const auto counters, queries::counters(*view));
  if (raw(shard.chunk) >= counters.next_chunk) return {};
  const auto row = queries::chunk(*view, shard.chunk);
  if (row.ok()) return {};
  if (row.code() != Errc::not_found) return row.error();
  if (!cluster_.answers(shard.server)) return {};
  const Status removed = servers_.remove({shard.server, options_.incarnation, shard.chunk, shard.shard},
                                         clock_.now() + options_.call_timeout);
  if (!removed.ok()) {
    spdlog::debug("chunkserver {} does not remove shard {} of chunk {}: {}", raw(shard.server), shard.shard,
                  raw(shard.chunk), removed.error().what);
    return {};  // found again by the next pass
  }
  const Lock lock(mutex_);
  ++counts_.removed;
  return {};
}

std::shared_ptr<const LostShards> ShardSweep::lost() const {
  const Lock lock(mutex_);
  return lost_;
}

ShardSweep::Counts ShardSweep::counts() const {
  const Lock lock(mutex_);
  return counts_;
}

std::string ShardSweep::trouble() const {
  const Lock lock(mutex_);
  return trouble_;
}

}  // namespace cairn
