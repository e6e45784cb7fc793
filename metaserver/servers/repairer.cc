#include "metaserver/servers/repairer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "common/probes/kill_point.h"
#include "metaserver/state/queries.h"

namespace cairn {
namespace {

constexpr size_t kMostQueued = 20'000;
constexpr uint32_t kChunkPage = 4096;
constexpr uint32_t kStripePage = 512;
constexpr size_t kPerCommand = 256;
constexpr uint32_t kTriesInPlace = 2;
constexpr uint32_t kTriesToGoOn = 3;  // of one shard whose server does not remember what it has made
constexpr uint32_t kIdleCalls = 3;    // in a row without a stripe
constexpr Duration kLookAtBusy = 1s;

}  // namespace

Repairer::Repairer(Clock& clock, Committer& committer, const OrderedStore& store, const Cluster& cluster,
                   ShardMaking& servers, Sweep sweep, Options options)
    : clock_(clock),
      committer_(committer),
      store_(store),
      cluster_(cluster),
      servers_(servers),
      sweep_(std::move(sweep)),
      options_(options),
      budget_(options.bytes_per_second),
      random_(options.seed) {}

Repairer::~Repairer() { stop(); }

void Repairer::start() {
  threads_.emplace_back("repair plan", [this] { plan_all(); });
  for (uint32_t i = 0; i < options_.parallel; ++i) threads_.emplace_back("repair", [this] { work(); });
}

void Repairer::stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (Thread& thread : threads_) thread.join();
  threads_.clear();
}

bool Repairer::stopping() const {
  const Lock lock(mutex_);
  return stopping_;
}

// ---- what there is to do -------------------------------------------------------------------------------------------

void Repairer::plan_all() {
  while (true) {
    {
      Lock lock(mutex_);
      wake_.wait_until(lock, clock_.now() + options_.look_every, [&] { return stopping_; });
      if (stopping_) return;
    }
    if (!scan_due()) continue;
    if (const Status done = scan(); !done.ok()) spdlog::warn("repair looks again in a while: {}", done.error().what);
  }
}

bool Repairer::scan_due() const {
  const uint64_t version = cluster_.health_version();
  const auto lost = sweep_.lost();
  const Lock lock(mutex_);
  const Duration passed = clock_.now() - scanned_.at;
  if (passed < scanned_.took * 10) return false;
  if (scanned_.health_version != version || scanned_.lost != lost) return true;
  if (scanned_.found && queue_.empty()) return true;
  return scanned_.anything && passed >= options_.scan_every;
}

Status Repairer::scan() {
  // Read before the rows: what changes meanwhile brings another scan.
  Scanned scanned{.at = clock_.now(), .health_version = cluster_.health_version(), .lost = sweep_.lost()};
  const auto health = cluster_.health();
  scanned.anything =
      !scanned.lost->empty() || !cluster_.removed().empty() || std::ranges::any_of(health, [](const auto& one) {
        return one.second == Health::down || one.second == Health::draining;
      });
  RepairScan scan(kMostQueued);
  const auto view = store_.view();
  for (ChunkId after{}; scanned.anything;) {
    ASSIGN(const auto page, queries::chunks(*view, after, kChunkPage));
    for (const ChunkInfo& chunk : page) {
      const auto lost = scanned.lost->find(chunk.chunk);
      scan.add(chunk, health, lost == scanned.lost->end() ? 0 : lost->second);
    }
    if (page.size() < kChunkPage || stopping()) break;
    after = page.back().chunk;
  }
  RepairScan::Found found = scan.take();
  scanned.found = found.shards > 0 || !found.to_seal.empty();
  scanned.took = clock_.now() - scanned.at;
  TRY(seal(std::move(found.to_seal)));
  const Lock lock(mutex_);
  scanned_ = scanned;
  queue_ = std::move(found.wants);
  waiting_ = found.shards;
  waiting_bytes_ = found.bytes;
  for (const auto& entry : under_way_) {
    const RepairWant& now = entry.second.want;
    const auto again = std::ranges::find_if(
        queue_, [&](const RepairWant& want) { return want.chunk == now.chunk && want.shard == now.shard; });
    if (again == queue_.end()) continue;
    queue_.erase(again);
    --waiting_;
    waiting_bytes_ -= std::min(waiting_bytes_, now.bytes);
  }
  std::set<ShardOf> wanted;
  for (const RepairWant& want : queue_) wanted.insert({want.chunk, want.shard});
  std::erase_if(trials_, [&](const auto& trial) {
    return !wanted.contains(trial.first) && !under_way_.contains(trial.first.first);
  });
  for (auto& [shard, trial] : trials_) {
    if (!trial.unplaced.empty()) trial.not_before = scanned.at;  // somebody may have come who can take it
  }
  ++changes_;
  wake_.notify_all();
  return {};
}

// Bytes of an open chunk are still coming, and only a sealed one has a length: its owner goes on in another.
Status Repairer::seal(std::vector<ChunkId> chunks) {
  for (size_t at = 0; at < chunks.size(); at += kPerCommand) {
    const auto begin = chunks.begin() + static_cast<ptrdiff_t>(at);
    const Outcome sealed = committer_.propose(
        SealForRepair{{begin, begin + static_cast<ptrdiff_t>(std::min(kPerCommand, chunks.size() - at))}});
    if (!sealed.ok()) return sealed.error();
  }
  return {};
}

std::optional<RepairWant> Repairer::take_locked(Instant now) {
  for (auto it = queue_.begin(); it != queue_.end(); ++it) {
    if (under_way_.contains(it->chunk)) continue;
    const auto trial = trials_.find({it->chunk, it->shard});
    if (trial != trials_.end() && trial->second.not_before > now) continue;
    const RepairWant want = *it;
    queue_.erase(it);
    waiting_ -= std::min<uint64_t>(waiting_, 1);
    waiting_bytes_ -= std::min(waiting_bytes_, want.bytes);
    under_way_[want.chunk] = {want, {}, 0};
    return want;
  }
  return std::nullopt;
}

// When the next of the queue may be begun, unless something else happens.
Instant Repairer::next_ready_locked() const {
  const Instant now = clock_.now();
  Instant next = Instant::never();
  for (const RepairWant& want : queue_) {
    const auto trial = trials_.find({want.chunk, want.shard});
    if (trial != trials_.end() && trial->second.not_before > now) next = std::min(next, trial->second.not_before);
  }
  return next;
}

void Repairer::put_back_locked(const RepairWant& want) {
  queue_.insert(std::ranges::upper_bound(queue_, want, more_urgent), want);
  ++waiting_;
  waiting_bytes_ += want.bytes;
}

// ---- doing it ------------------------------------------------------------------------------------------------------

void Repairer::work() {
  while (true) {
    uint64_t before = 0;
    {
      const Lock lock(mutex_);
      before = changes_;
    }
    const Step last = step();
    Lock lock(mutex_);
    if (stopping_) return;
    if (last == Step::worked) continue;
    const Instant until = last == Step::all_busy ? clock_.now() + kLookAtBusy : next_ready_locked();
    wake_.wait_until(lock, until, [&] { return stopping_ || changes_ != before; });
  }
}

bool Repairer::repair_next() { return step() != Step::nothing_ready; }

Repairer::Step Repairer::step() {
  std::optional<RepairWant> want;
  {
    const Lock lock(mutex_);
    if (stopping_) return Step::nothing_ready;
    want = take_locked(clock_.now());
  }
  if (!want) return Step::nothing_ready;
  const End end = repair(*want);
  const Lock lock(mutex_);
  under_way_.erase(want->chunk);
  if (end == End::done || end == End::dropped) trials_.erase({want->chunk, want->shard});
  if (end != End::done && end != End::dropped) put_back_locked(*want);
  if (end == End::all_busy) return Step::all_busy;
  ++changes_;
  wake_.notify_all();
  return Step::worked;
}

Repairer::End Repairer::repair(const RepairWant& want) {
  ChunkInfo chunk;
  auto now = look_anew(want, chunk);
  if (!now.ok()) return failed(want, {}, now.error());
  if (!*now) return End::dropped;
  auto to = choose(**now, chunk);
  if (!to.ok()) return to.code() == Errc::no_space ? unplaced(want, to.error()) : failed(want, {}, to.error());
  if (*to == ServerId{}) return End::all_busy;
  const Status made = make(**now, chunk, *to);
  if (!made.ok()) return failed(want, *to, made.error());
  if (*to == want.from) {
    sweep_.found(want.chunk, want.shard);
    return End::done;
  }
  kill_point(KillPoint::shard_remade);
  const Outcome moved = committer_.propose(MoveShards{{{want.chunk, want.shard, want.from, *to}}});
  if (!moved.ok()) return failed(want, *to, moved.error());
  kill_point(KillPoint::shard_moved);
  spdlog::debug("chunk {} shard {} has moved from chunkserver {} to {}", raw(want.chunk), want.shard, raw(want.from),
                raw(*to));
  return End::done;
}

uint64_t Repairer::lost_mask(ChunkId chunk) const {
  const auto lost = sweep_.lost();
  const auto it = lost->find(chunk);
  return it == lost->end() ? 0 : it->second;
}

Result<std::optional<RepairWant>> Repairer::look_anew(const RepairWant& want, ChunkInfo& chunk) {
  auto found = queries::chunk(*store_.view(), want.chunk);
  if (!found.ok() && found.code() == Errc::not_found) return std::optional<RepairWant>();
  if (!found.ok()) return found.error();
  chunk = std::move(*found);
  for (const RepairWant& now : wants_of(chunk, cluster_.health(), lost_mask(want.chunk))) {
    if (now.shard == want.shard && now.from == want.from) return std::optional<RepairWant>(now);
  }
  return std::optional<RepairWant>();
}

// no_space: nobody can take it. 0: those who could have enough to do.
Result<ServerId> Repairer::choose(const RepairWant& want, const ChunkInfo& chunk) {
  std::vector<ServerId> busy;
  ServerId failed_at{};
  uint32_t failures = 0;
  uint64_t seed = 0;
  {
    const Lock lock(mutex_);
    std::map<ServerId, uint32_t> making;
    for (const auto& [other, at_work] : under_way_) ++making[at_work.to];
    for (const auto& [server, count] : making) {
      if (count >= options_.per_server && server != ServerId{}) busy.push_back(server);
    }
    if (const auto trial = trials_.find({want.chunk, want.shard}); trial != trials_.end()) {
      failures = trial->second.failures;
      failed_at = trial->second.failed_at;
    }
    seed = random_();
  }
  if (want.reason == WantReason::lost && failures < kTriesInPlace && cluster_.health()[want.from] == Health::up) {
    if (std::ranges::find(busy, want.from) != busy.end()) return ServerId{};
    TRY(claim_target(want, want.from));
    return want.from;
  }
  ASSIGN(const StorageClass storage_class, queries::storage_class(*store_.view(), chunk.storage_class));
  ShardRequest request{.failure_domain = storage_class.failure_domain, .bytes = want.bytes};
  for (const ServerId server : chunk.servers) {
    if (server != want.from) request.others.push_back(server);
  }
  const auto candidates = cluster_.candidates();
  std::vector<ServerId> never{want.from};  // and those that may have this very shard still: until it is removed there
  while (true) {
    const auto place = [&](bool avoid_failed, bool avoid_busy) {
      request.avoid = never;
      if (avoid_failed) request.avoid.push_back(failed_at);
      if (avoid_busy) request.avoid.insert(request.avoid.end(), busy.begin(), busy.end());
      return place_shard(candidates, request, ++seed);
    };
    auto chosen = place(true, true);
    if (!chosen.ok()) chosen = place(false, true);
    if (!chosen.ok()) {
      TRY(place(false, false));
      return ServerId{};
    }
    const Status claimed = claim_target(want, *chosen);
    if (claimed.ok()) return *chosen;
    if (claimed.code() != Errc::exists) return claimed.error();
    never.push_back(*chosen);
  }
}

Status Repairer::claim_target(const RepairWant& want, ServerId to) {
  {
    const Lock lock(mutex_);
    under_way_[want.chunk].to = to;  // before it is planned: what is being made is not removed as stale
  }
  if (to == want.from) return {};
  const Outcome planned = committer_.propose(PlanShards{{{to, want.chunk, want.shard}}});
  if (planned.ok()) return {};
  const Lock lock(mutex_);
  under_way_[want.chunk].to = {};
  return planned.error();
}

Status Repairer::make(const RepairWant& want, const ChunkInfo& chunk, ServerId to) {
  std::map<uint64_t, uint64_t> made;  // stripes that were sent: place and length
  Status done;
  for (uint32_t tries = 0; tries < kTriesToGoOn; ++tries) {
    done = make_once(want, chunk, to, made);
    if (done.ok() || done.code() != Errc::not_found) break;  // not_found: it has restarted
  }
  TRY(done);
  return punch_dead(want, to, made);
}

Status Repairer::make_once(const RepairWant& want, const ChunkInfo& chunk, ServerId to,
                           std::map<uint64_t, uint64_t>& made) {
  RebuildShard request{.shard = {to, options_.incarnation, want.chunk, want.shard},
                       .code = chunk.code,
                       .servers = chunk.servers,
                       .lost = lost_mask(want.chunk),
                       .committed = chunk.committed,
                       .at_most = options_.call_time};
  const auto health = cluster_.health();
  for (size_t shard = 0; shard < chunk.servers.size(); ++shard) {
    const auto it = health.find(chunk.servers[shard]);
    if (it == health.end() || it->second == Health::down) request.lost |= uint64_t{1} << shard;
  }
  request.copy = to != want.from && cluster_.answers(want.from);
  {
    const Lock lock(mutex_);
    request.attempt = random_() | 1;
  }
  uint32_t idle = 0;
  while (true) {
    ASSIGN(auto stripes, queries::stripes(*store_.view(), want.chunk, request.from, kStripePage));
    request.last = stripes.size() < kStripePage;
    uint64_t bytes = 0;
    size_t taken = 0;
    while (taken < stripes.size() && (taken == 0 || bytes + stripes[taken].shape.stride() <= options_.page_bytes))
      bytes += stripes[taken++].shape.stride();
    if (taken < stripes.size()) request.last = false;
    stripes.resize(taken);
    request.stripes = std::move(stripes);
    if (!wait_for_budget(bytes)) return {Errc::interrupted, "the metaserver stops"};
    ASSIGN(const RebuildProgress progress, servers_.rebuild(request, clock_.now() + options_.call_timeout));
    if (progress.stripes > request.stripes.size())
      return {Errc::io, fmt::format("chunkserver {} has made more stripes than it was told of", raw(to))};
    for (size_t i = 0; i < progress.stripes; ++i) {
      const StripeAt& stripe = request.stripes[i];
      made[stripe.place] = stripe.shape.stride();
      request.from = stripe.place + stripe.shape.stride();
    }
    {
      const Lock lock(mutex_);
      rate_.add(progress.bytes, clock_.now());
      under_way_[want.chunk].bytes += progress.bytes;
    }
    if (progress.done) return {};
    idle = progress.stripes == 0 ? idle + 1 : 0;
    if (idle == kIdleCalls) return {Errc::timed_out, fmt::format("chunkserver {} gets no further with it", raw(to))};
  }
}

// A stripe that was dead when it was made may be punched everywhere since. One that dies later is punched here as well.
Status Repairer::punch_dead(const RepairWant& want, ServerId to, const std::map<uint64_t, uint64_t>& made) {
  const auto view = store_.view();
  for (const auto& [place, length] : made) {
    const auto punched = queries::punched(*view, want.chunk, place);
    if (!punched.ok() && punched.code() == Errc::not_found) return {};  // the chunk went meanwhile
    if (!punched.ok()) return punched.error();
    if (!*punched) continue;
    TRY(servers_.punch({to, options_.incarnation, want.chunk, want.shard}, place, length,
                       clock_.now() + options_.call_timeout));
  }
  return {};
}

bool Repairer::wait_for_budget(uint64_t bytes) {
  Lock lock(mutex_);
  const Instant begin = budget_.take(bytes, clock_.now());
  wake_.wait_until(lock, begin, [&] { return stopping_ || clock_.now() >= begin; });
  return !stopping_;
}

Repairer::End Repairer::failed(const RepairWant& want, ServerId to, const Error& error) {
  const Lock lock(mutex_);
  if (stopping_) return End::dropped;
  Trial& trial = trials_[{want.chunk, want.shard}];
  const uint32_t doubled = std::min(trial.failures, 16u);
  ++trial.failures;
  trial.failed_at = to;
  trial.unplaced.clear();
  trial.not_before = clock_.now() + std::min(options_.first_pause * (1 << doubled), options_.longest_pause);
  spdlog::warn("chunk {} shard {} is not made again yet ({} tries): {}", raw(want.chunk), want.shard, trial.failures,
               error.what);
  return End::failed;
}

Repairer::End Repairer::unplaced(const RepairWant& want, const Error& error) {
  const Lock lock(mutex_);
  Trial& trial = trials_[{want.chunk, want.shard}];
  if (trial.unplaced.empty()) spdlog::warn("chunk {} shard {} waits: {}", raw(want.chunk), want.shard, error.what);
  trial.unplaced = error.what;
  trial.not_before = clock_.now() + options_.scan_every;
  return End::put_off;
}

// ---- what is told --------------------------------------------------------------------------------------------------

RepairStatus Repairer::status() const {
  const Lock lock(mutex_);
  RepairStatus status;
  status.shards_waiting = waiting_;
  status.shards_under_way = under_way_.size();
  status.bytes_left = waiting_bytes_;
  for (const auto& [chunk, at_work] : under_way_)
    status.bytes_left += at_work.want.bytes - std::min(at_work.want.bytes, at_work.bytes);
  status.bytes_per_second = rate_.bytes_per_second(clock_.now());
  if (status.shards_waiting + status.shards_under_way == 0) {
    status.eta_seconds = 0;
  } else if (status.bytes_per_second > 0) {
    status.eta_seconds = static_cast<int64_t>(status.bytes_left / status.bytes_per_second + 1);
  }
  uint64_t unplaced = 0, failing = 0;
  std::string why;
  for (const auto& [shard, trial] : trials_) {
    if (trial.failures > 0) ++failing;
    if (trial.unplaced.empty()) continue;
    ++unplaced;
    why = trial.unplaced;
  }
  if (unplaced > 0) {
    status.waiting_why = fmt::format("{} shards wait for a failure domain: {}", unplaced, why);
    if (unplaced == status.shards_waiting) status.eta_seconds = -1;
  } else if (failing > 0) {
    status.waiting_why =
        fmt::format("{} shards have failed and are tried again: the metaserver's log has why", failing);
  }
  return status;
}

bool Repairer::making(const StaleShard& shard) const {
  const Lock lock(mutex_);
  const auto it = under_way_.find(shard.chunk);
  return it != under_way_.end() && it->second.want.shard == shard.shard && it->second.to == shard.server;
}

}  // namespace cairn
