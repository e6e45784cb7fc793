#include "metaserver/servers/janitor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/kill_point.h"
#include "common/probes/planted_bug.h"
#include "metaserver/servers/stale_shards.h"
#include "metaserver/state/job_queries.h"

namespace cairn {
namespace {

// Bounds of one round, so that none lasts long and memory stays small; the rest is found in the next.
constexpr uint32_t kPage = 512;
constexpr size_t kMaxSeals = 20'000;
constexpr size_t kMaxRemovals = 20'000;
constexpr uint32_t kNewStripes = 4096;
constexpr size_t kMaxStripes = 200'000;  // waiting for servers that are away
constexpr size_t kMaxCalls = 20'000;
constexpr uint32_t kReleaseSteps = 64;  // of 1000 extents each
constexpr size_t kPerCommand = 256;

// Calls propose(part) with at most kPerCommand items at a time.
template <typename Item, typename Propose>
Status in_parts(const std::vector<Item>& items, const Propose& propose) {
  for (size_t at = 0; at < items.size(); at += kPerCommand) {
    const auto begin = items.begin() + static_cast<ptrdiff_t>(at);
    TRY(propose(std::vector<Item>(begin, begin + static_cast<ptrdiff_t>(std::min(kPerCommand, items.size() - at)))));
  }
  return {};
}

}  // namespace

Janitor::Janitor(Clock& clock, Committer& committer, const OrderedStore& store, const Cluster& cluster,
                 ShardHousekeeping& servers, Options options)
    : clock_(clock),
      committer_(committer),
      store_(store),
      cluster_(cluster),
      servers_(servers),
      options_(options),
      quarantine_(options.quarantine) {}

Janitor::~Janitor() { stop(); }

void Janitor::start() {
  thread_ = Thread("janitor", [this] { run(); });
}

void Janitor::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool Janitor::stopping() const {
  const Lock lock(mutex_);
  return stopping_;
}

void Janitor::run() {
  while (true) {
    {
      Lock lock(mutex_);
      wake_.wait_until(lock, clock_.now() + options_.look_every, [&] { return stopping_; });
      if (stopping_) return;
    }
    if (const Status done = round(); !done.ok())
      spdlog::warn("housekeeping goes on in the next round: {}", done.error().what);
  }
}

Status Janitor::round() {
  quarantine_.observe(clock_.now(), committer_.last_wall_ns());
  auto died_until_ns = quarantine_.died_until(clock_.now());
  ASSIGN(const std::optional<int64_t> pinned_ns, queries::oldest_pin(*store_.view()));
  if (died_until_ns && pinned_ns && !planted(PlantedBug::unpin_early))
    died_until_ns = std::min(*died_until_ns, *pinned_ns - 1);
  TRY(find_seals());
  if (died_until_ns) TRY(condemn(*died_until_ns));
  TRY(find_removals());
  if (died_until_ns) TRY(find_punches(*died_until_ns));
  TRY(follow_moves());
  ask_servers();
  TRY(settle());
  TRY(remove_stale(died_until_ns));
  return release_extents();
}

Status Janitor::find_seals() {
  const auto view = store_.view();
  ChunkId after{};
  for (size_t found = 0; found < kMaxSeals;) {
    ASSIGN(const auto page, queries::pending_seals(*view, after, kPage));
    for (const ChunkInfo& chunk : page) {
      errands_.add({.kind = Errand::Kind::seal, .chunk = chunk.chunk}, chunk.servers);
      // The owner's epoch is refused from now on.
      targets_[chunk.chunk] = {chunk.committed, Epoch{raw(chunk.writer_epoch) + 1}};
    }
    if (page.size() < kPage) break;
    found += page.size();
    after = page.back().chunk;
  }
  return {};
}

Status Janitor::condemn(int64_t died_until_ns) {
  ASSIGN(const auto dead, queries::dead_chunks(*store_.view(), died_until_ns, kPage));
  std::vector<ChunkId> chunks;
  for (const auto& record : dead) chunks.push_back(record.chunk);
  return in_parts(chunks, [&](std::vector<ChunkId> part) { return propose(CondemnChunks{std::move(part)}); });
}

Status Janitor::find_removals() {
  const auto view = store_.view();
  ChunkId after{};
  for (size_t found = 0; found < kMaxRemovals;) {
    ASSIGN(const auto page, queries::condemned_chunks(*view, after, kPage));
    for (const ChunkInfo& chunk : page)
      errands_.add({.kind = Errand::Kind::remove, .chunk = chunk.chunk}, chunk.servers);
    if (page.size() < kPage) break;
    found += page.size();
    after = page.back().chunk;
  }
  return {};
}

Status Janitor::find_punches(int64_t died_until_ns) {
  if (punching_stripes_ >= kMaxStripes) return {};
  const auto view = store_.view();
  // The list begins with those that wait for a server already.
  ASSIGN(const auto dead,
         queries::dead_stripes(*view, died_until_ns, static_cast<uint32_t>(punching_stripes_) + kNewStripes));
  std::map<ChunkId, std::map<uint64_t, uint64_t>> lengths;  // of the new ones, by chunk and place
  for (const auto& record : dead) {
    const auto known = punching_.find(record.stripe.chunk);
    if (known != punching_.end() && known->second.contains(record.stripe.place)) continue;
    lengths[record.stripe.chunk][record.stripe.place] = record.length;
  }
  for (const auto& [chunk, stripes] : lengths) {
    ASSIGN(const ChunkInfo info, queries::chunk(*view, chunk));
    for (auto it = stripes.begin(); it != stripes.end();) {
      Errand errand{.kind = Errand::Kind::punch, .chunk = chunk, .place = it->first, .length = 0};
      std::vector<DeadStripe>& covered = punches_[chunk][errand.place];
      while (it != stripes.end() && it->first == errand.place + errand.length) {
        errand.length += it->second;
        covered.push_back({chunk, it->first});
        punching_[chunk].insert(it->first);
        ++punching_stripes_;
        ++it;
      }
      errands_.add(errand, info.servers);
    }
  }
  return {};
}

// A punch that waits for servers which no longer hold the chunk's shards is one for those that do.
Status Janitor::follow_moves() {
  const auto view = store_.view();
  for (const auto& [chunk, punches] : punches_) {
    const auto info = queries::chunk(*view, chunk);
    if (!info.ok() && info.code() == Errc::not_found) continue;
    if (!info.ok()) return info.error();
    for (const auto& [place, stripes] : punches) {
      if (!stripes.empty()) errands_.move({.kind = Errand::Kind::punch, .chunk = chunk, .place = place}, info->servers);
    }
  }
  return {};
}

Status Janitor::remove_stale(std::optional<int64_t> stale_until_ns) {
  StaleShardCalls calls;
  calls.remove = [&](const ShardRef& shard) { return servers_.remove(shard, clock_.now() + options_.call_timeout); };
  calls.being_made = [&](const StaleShard& shard) { return options_.being_made && options_.being_made(shard); };
  calls.confirmed = [&](std::vector<StaleShard> shards) { return propose(StaleShardsRemoved{std::move(shards)}); };
  return remove_stale_shards(store_, cluster_, options_.incarnation, stale_until_ns, calls);
}

void Janitor::ask_servers() {
  // Nobody waits for a server that does not belong to the cluster any more.
  const auto removed = cluster_.removed();
  const auto gone = [&](ServerId server) { return std::ranges::binary_search(removed, server); };
  if (!removed.empty()) {
    for (const ErrandCall& call : errands_.calls(gone)) errands_.confirm(call);
  }
  const auto health = cluster_.health();
  std::set<ServerId> silent;  // in this round
  const auto up = [&](ServerId server) {
    const auto it = health.find(server);
    return it != health.end() && answers(it->second);
  };
  size_t made = 0;
  for (const ErrandCall& call : errands_.calls(up)) {
    if (silent.contains(call.server)) continue;
    if (++made > kMaxCalls || stopping()) return;
    const Status answer = ask(call);
    if (confirms(answer)) {
      errands_.confirm(call);
    } else if (answer.code() == Errc::unavailable || answer.code() == Errc::timed_out) {
      silent.insert(call.server);
    } else {
      spdlog::debug("chunkserver {} on chunk {} shard {}: {}", raw(call.server), raw(call.errand.chunk), call.shard,
                    answer.error().what);
    }
  }
}

Status Janitor::ask(const ErrandCall& call) {
  const ShardRef shard{call.server, options_.incarnation, call.errand.chunk, call.shard};
  const Instant deadline = clock_.now() + options_.call_timeout;
  switch (call.errand.kind) {
    case Errand::Kind::seal: {
      const Target& target = targets_[call.errand.chunk];
      return servers_.seal(shard, target.committed, target.fence, deadline);
    }
    case Errand::Kind::punch:
      return servers_.punch(shard, call.errand.place, call.errand.length, deadline);
    case Errand::Kind::remove:
      return servers_.remove(shard, deadline);
  }
  return {};
}

Status Janitor::settle() {
  std::vector<ChunkId> sealed, removed;
  std::vector<DeadStripe> punched;
  for (const Errand& errand : errands_.take_done()) {
    switch (errand.kind) {
      case Errand::Kind::seal:
        sealed.push_back(errand.chunk);
        targets_.erase(errand.chunk);
        break;
      case Errand::Kind::remove:
        removed.push_back(errand.chunk);
        break;
      case Errand::Kind::punch: {
        Punches& punches = punches_[errand.chunk];
        for (const DeadStripe& stripe : punches[errand.place]) {
          punched.push_back(stripe);
          punching_[errand.chunk].erase(stripe.place);
          --punching_stripes_;
        }
        punches.erase(errand.place);
        if (punches.empty()) {
          punches_.erase(errand.chunk);
          punching_.erase(errand.chunk);
        }
        break;
      }
    }
  }
  // Should one of these fail, its items are still on their lists, and are asked for again: nothing is lost by that.
  TRY(in_parts(sealed, [&](std::vector<ChunkId> part) { return propose(SealsConfirmed{std::move(part)}); }));
  if (!punched.empty()) kill_point(KillPoint::stripes_punched);
  TRY(in_parts(punched, [&](std::vector<DeadStripe> part) { return propose(StripesPunched{std::move(part)}); }));
  if (!removed.empty()) kill_point(KillPoint::shards_removed);
  TRY(in_parts(removed, [&](std::vector<ChunkId> part) { return propose(ChunksRemoved{std::move(part)}); }));
  for (const ChunkId chunk : removed) forget_chunk(chunk);
  return {};
}

void Janitor::forget_chunk(ChunkId chunk) {
  errands_.drop(Errand::Kind::seal, chunk);
  errands_.drop(Errand::Kind::punch, chunk);
  targets_.erase(chunk);
  punches_.erase(chunk);
  if (const auto it = punching_.find(chunk); it != punching_.end()) {
    punching_stripes_ -= it->second.size();
    punching_.erase(it);
  }
}

Status Janitor::release_extents() {
  for (uint32_t step = 0; step < kReleaseSteps && !stopping(); ++step) {
    ASSIGN(const auto maps, queries::maps_to_release(*store_.view(), 1));
    if (maps.empty()) return {};
    TRY(propose(ReleaseExtents{maps.front(), 1000}));
  }
  return {};
}

Status Janitor::propose(CommandBody body) {
  const Outcome outcome = committer_.propose(std::move(body));
  return outcome.ok() ? Status{} : Status(outcome.error());
}

}  // namespace cairn
