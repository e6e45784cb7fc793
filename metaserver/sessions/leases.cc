#include "metaserver/sessions/leases.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"

namespace cairn {

Leases::Leases(Clock& clock, Options options) : clock_(clock), options_(std::move(options)), table_(options_.table) {}

void Leases::restore(const std::vector<SessionId>& sessions) {
  const Lock lock(mutex_);
  unreclaimed_.insert(sessions.begin(), sessions.end());
}

std::vector<Lease> Leases::reclaim(SessionId session, const std::vector<Lease>& leases, bool last) {
  const Lock lock(mutex_);
  std::vector<Lease> held;
  if (unreclaimed_.contains(session)) {  // later it might contradict what was granted since
    for (const Lease& lease : leases) {
      if (raw(lease.inode) != 0 && table_.reclaim(lease.inode, session, lease.kind, clock_.now()))
        held.push_back(lease);
    }
    if (last) unreclaimed_.erase(session);
  }
  changed_.notify_all();
  return held;
}

bool Leases::others_unreclaimed(SessionId session) const {
  const Lock lock(mutex_);
  return others_unreclaimed_locked(session);
}

bool Leases::others_unreclaimed_locked(SessionId session) const {
  if (planted(PlantedBug::admit_before_reclaim)) return false;
  return unreclaimed_.size() > (unreclaimed_.contains(session) ? 1u : 0u);
}

Status Leases::wait_clear(Lock& lock, SessionId session, InodeId inode, Wanted wanted) {
  const Instant deadline = clock_.now() + options_.patience;
  while (true) {
    if (stopping_) return Error{Errc::unavailable, "the metaserver is stopping"};
    if (clock_.now() >= deadline)
      return Error{Errc::busy, fmt::format("another mount does not give back its lease of inode {}", raw(inode))};
    if (others_unreclaimed_locked(session)) {
      changed_.wait_until(lock, deadline);
      continue;
    }
    const LeaseTable::Obstacles found = table_.obstacles(inode, session, wanted, clock_.now());
    if (found.clear) return {};
    if (!found.send.empty()) {
      lock.unlock();
      options_.deliver(found.send);
      lock.lock();
      continue;
    }
    changed_.wait_until(lock, std::min(deadline, found.look_again));
  }
}

Result<bool> Leases::admit_read(SessionId session, InodeId inode, Use use) {
  std::vector<Recall> too_many;
  bool leased = false;
  {
    Lock lock(mutex_);
    TRY(wait_clear(lock, session, inode, Wanted::read));
    // Unlisted it would not be asked about the inode when its last name goes: [L13].
    if (use == Use::open && table_.full(inode, session))
      return Error{Errc::busy, fmt::format("session {} has too many inodes open", raw(session))};
    leased = table_.grant_read(inode, session, use, clock_.now());
    too_many = table_.shed(session);
  }
  if (!too_many.empty()) options_.deliver(too_many);
  return leased;
}

Leases::Change::Change(Change&& other) noexcept
    : leases_(std::exchange(other.leases_, nullptr)), session_(other.session_), claims_(std::move(other.claims_)) {}

Leases::Change::~Change() {
  if (leases_ == nullptr || claims_.empty()) return;
  const Lock lock(leases_->mutex_);
  for (const auto& [inode, ticket] : claims_) leases_->table_.end_claim(inode, ticket);
  leases_->changed_.notify_all();
}

bool Leases::Change::covers(InodeId inode) const {
  return std::ranges::any_of(claims_, [&](const auto& claim) { return claim.first == inode; });
}

Status Leases::claim_all(Change& change, const std::vector<InodeId>& inodes) {
  Lock lock(mutex_);
  const size_t before = change.claims_.size();
  for (const InodeId inode : inodes) {
    // A write lease is a claim that stands already: whoever wants the inode waits for its recall.
    if (!change.covers(inode)) change.claims_.emplace_back(inode, table_.claim_change(inode, change.session_));
  }
  for (size_t i = before; i < change.claims_.size(); ++i) {
    TRY(wait_clear(lock, change.session_, change.claims_[i].first, Wanted::change));
  }
  return {};
}

Result<Leases::Change> Leases::admit_change(SessionId session, const std::vector<InodeId>& inodes) {
  Change change(*this, session);
  TRY(claim_all(change, inodes));
  return change;
}

void Leases::extend(Change& change, const std::vector<InodeId>& inodes) { (void)claim_all(change, inodes); }

std::vector<SessionId> Leases::openers(SessionId session, InodeId inode) {
  Lock lock(mutex_);
  // Whoever does not answer in time is taken for one that has it open: the end of its session frees the inode.
  (void)wait_clear(lock, session, inode, Wanted::removal);
  return table_.open_elsewhere(inode, session);
}

Status Leases::wait_for_reclaims(SessionId session) {
  Lock lock(mutex_);
  const Instant deadline = clock_.now() + options_.patience;
  while (others_unreclaimed_locked(session) && !stopping_) {
    if (!changed_.wait_until(lock, deadline))
      return Error{Errc::busy, "other mounts have not yet named what they hold since the metaserver's restart"};
  }
  return stopping_ ? Status(Error{Errc::unavailable, "the metaserver is stopping"}) : Status{};
}

Status Leases::acquire_write(SessionId session, InodeId inode) {
  std::vector<Recall> too_many;
  Status done;
  {
    Lock lock(mutex_);
    const Instant deadline = clock_.now() + options_.patience;
    const LeaseTable::Ticket ticket = table_.claim_write(inode, session);
    while (true) {
      done = wait_clear(lock, session, inode, Wanted::change);
      if (!done.ok() || table_.grant_write(inode, session, ticket, clock_.now())) break;
      // Somebody is before us, or our own lease is being recalled.
      if (!changed_.wait_until(lock, deadline)) {
        done = Error{Errc::busy, fmt::format("too many mounts write to inode {}", raw(inode))};
        break;
      }
    }
    table_.end_claim(inode, ticket);
    changed_.notify_all();
    too_many = table_.shed(session);
  }
  if (!too_many.empty()) options_.deliver(too_many);
  return done;
}

bool Leases::granted_new(SessionId session, InodeId inode) {
  const Lock lock(mutex_);
  // It may have been made in an earlier run, and this is a repetition: others may hold what they have not named yet.
  if (others_unreclaimed_locked(session)) return false;
  return table_.grant_new(inode, session, clock_.now());
}

void Leases::acknowledge(SessionId session, const std::vector<Lease>& recalls, const std::vector<InodeId>& open) {
  const Lock lock(mutex_);
  for (const Lease& lease : recalls) {
    table_.acknowledge(lease.inode, session, lease.generation, std::ranges::find(open, lease.inode) != open.end());
  }
  changed_.notify_all();
}

void Leases::drop(SessionId session, InodeId inode) {
  const Lock lock(mutex_);
  table_.drop(inode, session);
  changed_.notify_all();
}

void Leases::end(SessionId session) {
  const Lock lock(mutex_);
  if (table_.end(session) > 0) reached(RarePath::ended_in_recall);
  unreclaimed_.erase(session);
  changed_.notify_all();
}

void Leases::stop() {
  const Lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

size_t Leases::count() const {
  const Lock lock(mutex_);
  return table_.leases();
}

}  // namespace cairn
