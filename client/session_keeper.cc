#include "client/session_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/rare_path.h"

namespace cairn {

namespace {
constexpr Duration kPoll = 1s;  // also bounds how long stop() waits for the poll that is under way
constexpr Lease kWholeTree{InodeId{0}, LeaseKind::exclusive, 0};
}  // namespace

SessionKeeper::SessionKeeper(MetaClient& meta, Clock& clock, Statistics& statistics, const SessionGrant& grant,
                             Instant asked_at, Hooks hooks)
    : meta_(meta),
      clock_(clock),
      statistics_(statistics),
      hooks_(std::move(hooks)),
      core_(grant.ttl, asked_at),
      sole_(grant.sole),
      trust_until_ns_(core_.trust_until().ns) {}

void SessionKeeper::start() {
  renewer_ = Thread("cairn-renew", [this] { renew_loop(); });
  listener_ = Thread("cairn-events", [this] { event_loop(); });
}

void SessionKeeper::begin_stop() {
  Lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void SessionKeeper::stop() {
  begin_stop();
  renewer_.join();
  listener_.join();
}

bool SessionKeeper::trusted() const {
  return sole_.load(std::memory_order_acquire) && !dead_.load(std::memory_order_relaxed) &&
         clock_.now().ns < trust_until_ns_.load(std::memory_order_relaxed);
}

Duration SessionKeeper::trusted_for() const {
  if (!trusted()) return {};
  return std::max(Duration::zero(), Instant{trust_until_ns_.load()} - clock_.now());
}

Status SessionKeeper::alive() const {
  if (!dead_.load(std::memory_order_acquire)) return {};
  Lock lock(mutex_);
  return Error{Errc::io, death_.what};
}

void SessionKeeper::note(const Error& error) {
  if (error.code != Errc::no_session) return;
  {
    Lock lock(mutex_);
    if (stopping_ || dead_) return;
    death_ = {Errc::no_session,
              fmt::format("the session has ended and what was not yet written is lost: {}; mount again", error.what)};
    dead_.store(true, std::memory_order_release);
    trust_epoch_.fetch_add(1);
    changed_.notify_all();
  }
  spdlog::error("{}", death_.what);
  hooks_.died(death_);
}

bool SessionKeeper::wait_until(Instant until) {
  Lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return stopping_ || dead_.load(); });
  return !stopping_ && !dead_;
}

void SessionKeeper::renew_loop() {
  renew_until_end();
  // Here and not where the end was noticed: that may be a call which the kernel waits for.
  if (dead_) hooks_.drop_kernel_caches();
}

void SessionKeeper::renew_until_end() {
  while (true) {
    Instant next;
    {
      Lock lock(mutex_);
      next = lapsed_ ? core_.renew_at() : std::min(core_.renew_at(), core_.trust_until());
    }
    if (!wait_until(next)) return;
    bool lapses = false;
    {
      Lock lock(mutex_);
      lapses = !lapsed_ && !core_.trusted(clock_.now());
      if (lapses) lapsed_ = true;
    }
    if (lapses) {  // nobody answers: before the TTL ends, forget what another mount could soon change
      trust_epoch_.fetch_add(1);
      hooks_.drop_caches();
      hooks_.drop_kernel_caches();
    }
    const Instant asked_at = clock_.now();
    const Result<Duration> ttl = meta_.renew_session();
    if (!ttl.ok()) {
      note(ttl.error());
      Lock lock(mutex_);
      core_.on_renewal_failed(clock_.now());
      continue;
    }
    {
      Lock lock(mutex_);
      core_.on_renewed(asked_at, *ttl);
      trust_until_ns_ = core_.trust_until().ns;
      lapsed_ = false;
    }
    if (!sole_) ask_to_be_sole();
  }
}

void SessionKeeper::ask_to_be_sole() {
  const Result<std::vector<Lease>> granted = meta_.acquire_leases({kWholeTree});
  if (!granted.ok()) return note(granted.error());
  if (granted->empty() || raw(granted->front().inode) != 0) return;
  hooks_.drop_caches();  // what was learnt while others could change it
  Lock lock(mutex_);
  if (granted->front().generation <= recalled_generation_) return;  // recalled before this answer was read
  trust_epoch_.fetch_add(1);
  sole_.store(true, std::memory_order_release);
}

void SessionKeeper::event_loop() {
  uint64_t acknowledged = 0;
  while (wait_until({0})) {
    const Result<std::vector<Event>> events = meta_.events(acknowledged, kPoll);
    if (!events.ok()) {
      note(events.error());
      if (!wait_until(clock_.now() + 200ms)) return;
      continue;
    }
    for (const Event& event : *events) {
      handle(event);
      acknowledged = std::max(acknowledged, event.sequence);
    }
  }
}

void SessionKeeper::handle(const Event& event) {
  switch (event.type) {
    case EventType::recall:
    case EventType::revoked:
      return end_sole(event.lease ? event.lease->generation : 0);
    case EventType::map_changed:
      return hooks_.map_changed();
    case EventType::lock_ended:
      return hooks_.lock_ended(*event.lock);
    case EventType::restarted:
      return hooks_.restarted(event.lock->run);
  }
}

void SessionKeeper::end_sole(uint64_t lease_generation) {
  ++statistics_.recalls;
  reached(RarePath::recalled_lease);
  {
    Lock lock(mutex_);
    recalled_generation_ = std::max(recalled_generation_, lease_generation);
    sole_.store(false, std::memory_order_release);
    trust_epoch_.fetch_add(1);
  }
  hooks_.drop_caches();
  hooks_.flush_all();
  hooks_.drop_kernel_caches();
}

}  // namespace cairn
