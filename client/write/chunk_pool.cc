#include "client/write/chunk_pool.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "client/write/grant_patience.h"
#include "common/probes/kill_point.h"

namespace cairn {

namespace {
constexpr Duration kAvoidFor = 30s;
constexpr Duration kRetryGrantAfter = 1s;
constexpr Duration kRetrySealAfter = 500ms;
constexpr size_t kSealsAtOnce = 64;
constexpr Duration kNoPatienceFor = 10s;  // after patience was in vain
constexpr Duration kAskAgainAfter = 100ms;

bool is_on(const ChunkInfo& chunk, const std::vector<ServerId>& servers) {
  return std::any_of(servers.begin(), servers.end(), [&](ServerId server) {
    return std::find(chunk.servers.begin(), chunk.servers.end(), server) != chunk.servers.end();
  });
}
}  // namespace

ChunkPool::ChunkPool(MetaClient& meta, ShardTransport& transport, Clock& clock, Duration io_timeout, Duration patience,
                     Statistics& statistics)
    : meta_(meta),
      transport_(transport),
      clock_(clock),
      io_timeout_(io_timeout),
      patience_(patience),
      statistics_(statistics),
      shared_(std::make_shared<Shared>()) {
  thread_ = Thread("cairn-chunks", [this] { loop(); });
}

void ChunkPool::begin_stop() {
  Lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->work.notify_all();
  shared_->pause.notify_all();
}

void ChunkPool::stop() {
  begin_stop();
  thread_.join();
}

ChunkLease ChunkPool::lease(const std::shared_ptr<Shared>& shared, const HeldPtr& held) {
  ++held->uses;
  shared->used[held->chunk.get()] = held;
  return ChunkLease(held->chunk.get(), [shared, held](OpenChunk* chunk) {
    Lock lock(shared->mutex);
    if (--held->uses > 0) return;
    shared->used.erase(chunk);
    if (!held->retired) return;
    shared->to_seal.push_back(chunk->info().chunk);
    shared->work.notify_all();
  });
}

void ChunkPool::retire_locked(Shared& shared, const HeldPtr& held) {
  if (held->retired) return;
  held->retired = true;
  if (held->uses > 0) return;  // the last lease's end sees to it
  shared.to_seal.push_back(held->chunk->info().chunk);
  shared.work.notify_all();
}

Result<ChunkLease> ChunkPool::current(ClassId storage_class, ChunkKind kind) {
  {
    Lock lock(shared_->mutex);
    PerClass& of_class = shared_->classes[storage_class];
    HeldPtr& slot = of_class.current[static_cast<size_t>(kind)];
    if (slot != nullptr && (slot->retired || !slot->chunk->has_room())) {
      retire_locked(*shared_, slot);
      slot.reset();
    }
    if (slot == nullptr && !of_class.spares.empty()) {
      slot = std::move(of_class.spares.back());
      of_class.spares.pop_back();
    }
    if (slot != nullptr) {
      if (of_class.spares.empty() && slot->chunk->end() * 2 > slot->chunk->info().shard_limit &&
          !of_class.wants_spare) {
        of_class.wants_spare = true;
        shared_->work.notify_all();
      }
      return lease(shared_, slot);
    }
  }
  ASSIGN(HeldPtr granted, grant(storage_class, {}));
  Lock lock(shared_->mutex);
  shared_->classes[storage_class].current[static_cast<size_t>(kind)] = granted;
  return lease(shared_, granted);
}

Result<ChunkLease> ChunkPool::fresh(ClassId storage_class, const std::vector<ServerId>& avoid) {
  {
    Lock lock(shared_->mutex);
    auto& spares = shared_->classes[storage_class].spares;
    const auto good = std::find_if(spares.begin(), spares.end(), [&](const HeldPtr& spare) {
      return spare->chunk->has_room() && !is_on(spare->chunk->info(), avoid);
    });
    if (good != spares.end()) {
      const HeldPtr held = *good;
      spares.erase(good);
      return lease(shared_, held);
    }
  }
  ASSIGN(HeldPtr granted, grant(storage_class, avoid));
  Lock lock(shared_->mutex);
  return lease(shared_, granted);
}

void ChunkPool::abandon() {
  std::map<ClassId, PerClass> gone;  // destroyed without the mutex
  Lock lock(shared_->mutex);
  gone.swap(shared_->classes);
  shared_->to_seal.clear();
  lock.unlock();
}

void ChunkPool::give_back(ChunkLease used) {
  Lock lock(shared_->mutex);
  const auto found = shared_->used.find(used.get());
  if (found == shared_->used.end() || found->second->retired) return;
  const HeldPtr held = found->second;
  PerClass& of_class = shared_->classes[used->info().storage_class];
  if (used->has_room() && of_class.spares.size() < 2) {
    of_class.spares.push_back(held);
  } else {
    retire_locked(*shared_, held);
  }
  lock.unlock();  // before the lease ends, which locks
}

void ChunkPool::retire(const ChunkLease& broken) {
  const std::vector<ServerId> failed = broken->failed_servers();
  Lock lock(shared_->mutex);
  const auto found = shared_->used.find(broken.get());
  if (found == shared_->used.end()) return;
  if (!found->second->retired) ++statistics_.chunks_broken;
  retire_locked(*shared_, found->second);
  for (const ServerId server : failed) shared_->avoided[server] = clock_.now() + kAvoidFor;
  for (auto& [id, of_class] : shared_->classes) {  // spares on those servers would break next
    std::erase_if(of_class.spares, [&](const HeldPtr& spare) {
      if (!is_on(spare->chunk->info(), failed)) return false;
      retire_locked(*shared_, spare);
      return true;
    });
  }
}

Result<ChunkPool::HeldPtr> ChunkPool::grant(ClassId storage_class, const std::vector<ServerId>& avoid) {
  GrantChunks request{storage_class, 1, avoid};
  {
    Lock lock(shared_->mutex);
    const Instant now = clock_.now();
    std::erase_if(shared_->avoided, [&](const auto& one) { return one.second <= now; });
    std::vector<std::pair<Instant, ServerId>> earlier;  // the last one failed longest ago
    for (const auto& [server, until] : shared_->avoided) {
      if (std::find(avoid.begin(), avoid.end(), server) == avoid.end()) earlier.emplace_back(until, server);
    }
    std::sort(earlier.rbegin(), earlier.rend());
    for (const auto& [until, server] : earlier) request.avoid.push_back(server);
  }
  ASSIGN(const std::vector<ChunkInfo> granted, ask_for_chunk(request));
  if (granted.empty()) return Error{Errc::no_space, "the metaserver granted no chunk"};
  statistics_.chunks_granted += granted.size();
  return std::make_shared<Held>(std::make_unique<OpenChunk>(granted.front(), transport_, clock_, io_timeout_));
}

// Also if that could not be found out.
bool ChunkPool::servers_may_yet_report() {
  const Result<ClusterMap> map = meta_.cluster_map();
  return !map.ok() || std::any_of(map->servers.begin(), map->servers.end(), [](const ServerInfo& s) {
    return s.health == Health::unknown || s.health == Health::suspect;
  });
}

Result<std::vector<ChunkInfo>> ChunkPool::ask_for_chunk(const GrantChunks& request) {
  GrantPatience patience(patience_, kAskAgainAfter);
  while (true) {
    Result<std::vector<ChunkInfo>> granted = meta_.grant_chunks(request);
    if (granted.ok()) {
      Lock lock(shared_->mutex);
      shared_->no_patience_before = {};
    }
    if (granted.ok() || granted.code() != Errc::no_space) return granted;
    patience.on_refusal(clock_.now());
    {
      Lock lock(shared_->mutex);
      if (shared_->stopping || clock_.now() < shared_->no_patience_before) return granted;
    }
    const bool may_yet_report = servers_may_yet_report();
    const GrantPatience::Next next = patience.on_map(may_yet_report);
    if (next == GrantPatience::Next::ask_now) continue;
    Lock lock(shared_->mutex);
    if (next == GrantPatience::Next::believe) {
      if (may_yet_report) shared_->no_patience_before = clock_.now() + kNoPatienceFor;
      return granted;
    }
    shared_->pause.wait_until(lock, clock_.now() + kAskAgainAfter);
  }
}

void ChunkPool::pause(Duration time) {
  Lock lock(shared_->mutex);
  const Instant until = clock_.now() + time;
  while (!shared_->stopping && clock_.now() < until) shared_->pause.wait_until(lock, until);
}

Status ChunkPool::seal_now(const OpenChunk& chunk, Instant deadline) {
  while (true) {
    const Status sealed = meta_.seal_chunks({{chunk.info().chunk}});
    if (sealed.ok()) return {};
    if (sealed.code() != Errc::timed_out && sealed.code() != Errc::unavailable) return sealed;
    pause(kRetrySealAfter);  // the metaserver's absence may be known at once
    Lock lock(shared_->mutex);
    if (shared_->stopping || clock_.now() >= deadline) return sealed;
  }
}

void ChunkPool::loop() {
  Lock lock(shared_->mutex);
  Instant seal_again;
  while (!shared_->stopping) {
    const Instant now = clock_.now();
    if (!shared_->to_seal.empty() && now >= seal_again) {
      std::vector<ChunkId> chunks;
      while (!shared_->to_seal.empty() && chunks.size() < kSealsAtOnce) {
        chunks.push_back(shared_->to_seal.back());
        shared_->to_seal.pop_back();
      }
      lock.unlock();
      const Status sealed = meta_.seal_chunks({chunks});
      if (sealed.ok()) kill_point(KillPoint::chunk_sealed);
      lock.lock();
      if (sealed.ok()) {
        statistics_.chunks_sealed += chunks.size();
      } else if (sealed.code() == Errc::timed_out || sealed.code() == Errc::unavailable) {
        shared_->to_seal.insert(shared_->to_seal.end(), chunks.begin(), chunks.end());
        seal_again = clock_.now() + kRetrySealAfter;
      } else {  // the metaserver seals them at the session's end
        spdlog::warn("sealing {} chunks: {}", chunks.size(), sealed.error().what);
      }
      continue;
    }
    const auto wants = std::find_if(shared_->classes.begin(), shared_->classes.end(), [&](const auto& one) {
      return one.second.wants_spare && one.second.no_spare_before <= now;
    });
    if (wants != shared_->classes.end()) {
      const ClassId storage_class = wants->first;
      wants->second.wants_spare = false;
      lock.unlock();
      Result<HeldPtr> granted = grant(storage_class, {});
      lock.lock();
      PerClass& of_class = shared_->classes[storage_class];
      if (granted.ok()) {
        of_class.spares.push_back(std::move(granted).value());
      } else {
        of_class.no_spare_before = clock_.now() + kRetryGrantAfter;
      }
      continue;
    }
    shared_->work.wait_until(lock, shared_->to_seal.empty() ? Instant::never() : seal_again);
  }
}

}  // namespace cairn
