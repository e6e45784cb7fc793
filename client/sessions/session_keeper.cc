#include "client/sessions/session_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"

namespace cairn {

namespace {
constexpr Duration kPoll = 1s;  // also bounds how long stop() waits for the poll that is under way
constexpr Duration kPollAgain = 200ms;
constexpr Duration kOpenAgain = 1s;
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
      trust_until_ns_(core_.trust_until().ns),
      run_(grant.run) {}

void SessionKeeper::start() {
  renewer_ = Thread("cairn-renew", [this] { renew_loop(); });
  listener_ = Thread("cairn-events", [this] { event_loop(); });
  lapser_ = Thread("cairn-lapse", [this] { lapse_loop(); });
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
  lapser_.join();
}

bool SessionKeeper::stopping() const {
  Lock lock(mutex_);
  return stopping_;
}

bool SessionKeeper::certain() const {
  if (planted(PlantedBug::trust_for_ever)) return !dead_.load(std::memory_order_relaxed);
  return !dead_.load(std::memory_order_relaxed) && clock_.now().ns < trust_until_ns_.load(std::memory_order_relaxed);
}

bool SessionKeeper::trusted() const { return sole() && certain(); }

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
  // Perhaps of a call that was made in an earlier session: a renewal says whether it is so.
  Lock lock(mutex_);
  if (stopping_ || dead_) return;
  suspect_ = true;
  changed_.notify_all();
}

void SessionKeeper::lose(const Error& error) {
  {
    Lock lock(mutex_);
    if (stopping_) return;
    death_ = {Errc::no_session,
              fmt::format("the session has ended, and what was not yet written is lost: {}", error.what)};
    dead_.store(true, std::memory_order_release);
    sole_.store(false, std::memory_order_release);
    trust_epoch_.fetch_add(1);
    suspect_ = false;
  }
  ++statistics_.lost_sessions;
  spdlog::error("{}; a new one is opened", death_.what);
  hooks_.wake();
}

bool SessionKeeper::wait_until(Instant until) {
  Lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return stopping_ || suspect_; });
  return !stopping_;
}

void SessionKeeper::renew_loop() {
  while (renew_until_lost() && replace()) {
  }
}

bool SessionKeeper::renew_until_lost() {
  while (!dead_) {
    Instant next;
    bool was_over = false;
    {
      Lock lock(mutex_);
      was_over = core_.certainly_over(clock_.now());
      next = lapsed_ ? core_.renew_at() : std::min(core_.renew_at(), core_.trust_until());
    }
    if (!wait_until(next)) return false;
    bool lapses = false;
    {
      Lock lock(mutex_);
      suspect_ = false;
      if (!was_over && core_.certainly_over(clock_.now())) reached(RarePath::slept_past_ttl);
      lapses = !lapsed_ && !core_.trusted(clock_.now());
      if (lapses) lapsed_ = just_lapsed_ = true;
    }
    if (lapses) {  // nobody answers: before the TTL ends, forget what another mount could soon change
      spdlog::warn("the metaserver does not answer: nothing cached is trusted until it does");
      trust_epoch_.fetch_add(1);
      hooks_.drop_caches();
      Lock lock(mutex_);
      changed_.notify_all();
    }
    const Instant asked_at = clock_.now();
    const Result<MetaClient::Renewed> renewed = meta_.renew_session();
    if (!renewed.ok()) {
      if (renewed.code() == Errc::no_session) lose(renewed.error());
      Lock lock(mutex_);
      core_.on_renewal_failed(clock_.now());
      continue;
    }
    note_run(renewed->run);
    {
      Lock lock(mutex_);
      core_.on_renewed(asked_at, renewed->ttl);
      trust_until_ns_ = core_.trust_until().ns;
      lapsed_ = false;
    }
    if (!sole_) ask_to_be_sole();
  }
  return !stopping();
}

// Beside the renewals: what the kernel waits for may itself wait for one.
void SessionKeeper::lapse_loop() {
  Lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || just_lapsed_; });
    if (stopping_) return;
    just_lapsed_ = false;
    lock.unlock();
    hooks_.drop_kernel_caches();
    lock.lock();
  }
}

bool SessionKeeper::replace() {
  hooks_.drop_caches();
  hooks_.drop_kernel_caches();
  hooks_.lost();
  while (!stopping()) {
    const Instant asked_at = clock_.now();
    const Result<SessionGrant> grant = meta_.open_session(hooks_.request());
    if (grant.ok()) {
      {
        Lock lock(mutex_);
        core_ = SessionCore(grant->ttl, asked_at);
        trust_until_ns_ = core_.trust_until().ns;
        lapsed_ = suspect_ = false;
        run_ = grant->run;
        trust_epoch_.fetch_add(1);
        sole_.store(grant->sole, std::memory_order_release);
        dead_.store(false, std::memory_order_release);
      }
      reached(RarePath::replaced_session);
      hooks_.lease_what_is_in_use();
      spdlog::warn("a new session is open, and the mount goes on");
      return true;
    }
    spdlog::warn("no new session yet: {}", grant.error().what);
    Lock lock(mutex_);
    changed_.wait_until(lock, clock_.now() + kOpenAgain, [this] { return stopping_; });
  }
  return false;
}

// Once for each run: the metaserver has forgotten the leases, and waits for all who may hold some.
void SessionKeeper::note_run(uint64_t run) {
  uint64_t before = 0;
  {
    Lock lock(mutex_);
    if (run == run_ || dead_ || reclaiming_) return;
    reclaiming_ = true;
    before = run_;
    run_ = run;  // from here on answers of the earlier run bring no leases, so what is held now is all
  }
  const Status reclaimed = hooks_.reclaim(sole());
  if (!reclaimed.ok()) {
    spdlog::warn("leases and locks could not be named to the metaserver that has restarted; again: {}",
                 reclaimed.error().what);
    note(reclaimed.error());
  }
  Lock lock(mutex_);
  reclaiming_ = false;
  if (!reclaimed.ok()) run_ = before;  // the next answer leads here again
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
  SessionId session = meta_.session();
  while (!stopping()) {
    if (dead_) {
      Lock lock(mutex_);
      changed_.wait_until(lock, clock_.now() + kPollAgain, [this] { return stopping_; });
      continue;
    }
    if (std::exchange(session, meta_.session()) != meta_.session()) acknowledged = 0;
    const Result<EventPage> page = meta_.events(acknowledged, kPoll);
    if (!page.ok()) {
      note(page.error());
      Lock lock(mutex_);
      changed_.wait_until(lock, clock_.now() + kPollAgain, [this] { return stopping_; });
      continue;
    }
    note_run(page->run);
    for (const Event& event : page->events) {
      if (event.sequence <= acknowledged) continue;
      handle(event);
      acknowledged = event.sequence;
    }
  }
}

void SessionKeeper::handle(const Event& event) {
  switch (event.type) {
    case EventType::recall:
    case EventType::revoked:
      if (event.lease && raw(event.lease->inode) != 0) {
        ++statistics_.recalls;
        return hooks_.recalled(*event.lease);
      }
      return end_sole(event.lease ? event.lease->generation : 0);
    case EventType::map_changed:
      return hooks_.map_changed();
    case EventType::lock_ended:
      return hooks_.lock_ended(*event.lock);
  }
}

void SessionKeeper::end_sole(uint64_t lease_generation) {
  ++statistics_.recalls;
  reached(RarePath::recalled_lease);
  {
    Lock lock(mutex_);
    recalled_generation_ = std::max(recalled_generation_, lease_generation);
    // After a restart the metaserver recalls the tree from whoever might have had it. Who knows better has leases of
    // inodes, perhaps one that is being recalled: acquiring it anew would wait for an event behind this one.
    if (!sole_.load(std::memory_order_acquire)) return;
    sole_.store(false, std::memory_order_release);
    trust_epoch_.fetch_add(1);
  }
  hooks_.drop_caches();
  hooks_.flush_all();
  hooks_.drop_kernel_caches();
  hooks_.lease_what_is_in_use();
}

}  // namespace cairn
