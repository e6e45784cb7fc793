#include "metaserver/sessions/sessions.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "common/probes/rare_path.h"
#include "metaserver/state/queries.h"

namespace cairn {
namespace {

constexpr size_t kShownBytes = 255;  // of a session's name and host, in the status

Error stopping() { return {Errc::unavailable, "the metaserver is stopping"}; }

}  // namespace

Sessions::Sessions(Clock& clock, Committer& committer, const OrderedStore& store, Options options)
    : clock_(clock),
      committer_(committer),
      store_(store),
      options_(options),
      table_(options.ttl),
      lease_(options.first_sequence) {}

Result<std::vector<SessionId>> Sessions::restore() {
  ASSIGN(const auto records, queries::sessions(*store_.view()));
  const Lock lock(mutex_);
  std::vector<SessionId> mounts;
  for (const auto& record : records) {
    table_.add(record.session, record.request, clock_.now());
    if (record.request.mount) mounts.push_back(record.session);
  }
  lease_.restore(mounts);
  return mounts;
}

Sessions::Mailbox& Sessions::mailbox(SessionId session) {
  auto& box = mailboxes_[session];
  if (!box) box = std::make_shared<Mailbox>(options_.first_sequence);
  return *box;
}

void Sessions::push(SessionId session, const Lease& recall) {
  Mailbox& box = mailbox(session);
  box.queue.push_recall(recall);
  box.arrived.notify_all();
}

void Sessions::deliver(const std::vector<Leases::Recall>& recalls) {
  const Lock lock(mutex_);
  for (const auto& recall : recalls) {
    if (table_.check(recall.session).ok()) push(recall.session, recall.lease);
  }
}

// The command, unless too many sessions are open. A retry of one that is open is none too many.
Result<SessionId> Sessions::log_opening(const SessionRequest& request) {
  {
    const Lock lock(mutex_);
    const auto is_known = [&](const auto& one) { return one.second.request.nonce == request.nonce; };
    const auto& open = table_.sessions();
    if (open.size() + opening_ >= options_.most &&
        (request.nonce == 0 || std::none_of(open.begin(), open.end(), is_known))) {
      return Error{Errc::busy,
                   fmt::format("{} sessions are open, and no more are served at once: unmount some, or wait {} s until "
                               "those that are gone have expired",
                               open.size(), options_.ttl / 1s)};
    }
    ++opening_;
  }
  const Outcome outcome = committer_.propose(OpenSession{request});
  const Lock lock(mutex_);
  --opening_;
  if (!outcome.ok()) return outcome.error();
  const SessionId session = std::get<SessionId>(*outcome);
  table_.add(session, request, clock_.now());
  return session;
}

Result<SessionGrant> Sessions::open(const SessionRequest& request) {
  ASSIGN(const SessionId session, log_opening(request));
  SessionGrant grant{session, options_.ttl, options_.incarnation, false, run()};
  Lock lock(mutex_);
  if (!request.mount) return grant;
  for (const auto& recall : lease_.open(session)) push(recall.session, recall.lease);
  // Each other holder acknowledges or expires, so this ends within a TTL of the last of them; the bound is for safety's
  // sake.
  const Instant deadline = clock_.now() + 3 * options_.ttl;
  while ((!lease_.admitted(session) || sole_changes_ > 0) && !stopping_) {
    if (!table_.renew(session, clock_.now()).ok()) return table_.check(session).error();  // it was closed meanwhile
    if (clock_.now() >= deadline) return Error{Errc::busy, "another mount does not give back its lease of the tree"};
    admission_.wait_until(lock, clock_.now() + options_.ttl / 4);
  }
  if (stopping_) return stopping();
  TRY(table_.renew(session, clock_.now()));
  grant.sole = lease_.acquire(session);  // also if the others have ended meanwhile
  return grant;
}

Result<Duration> Sessions::renew(SessionId session) {
  const Lock lock(mutex_);
  TRY(table_.renew(session, clock_.now()));
  lease_.seen(session);
  return options_.ttl;
}

Status Sessions::close(const Mutation& mutation) {
  const Outcome outcome = committer_.propose(Command{mutation, 0, EndSession{mutation.session, false}});
  if (!outcome.ok() && outcome.code() != Errc::no_session) return outcome.error();
  forget(mutation.session);
  return {};
}

void Sessions::forget(SessionId session) {
  {
    const Lock lock(mutex_);
    table_.remove(session);
    lease_.end(session);
    if (const auto it = mailboxes_.find(session); it != mailboxes_.end()) {
      it->second->arrived.notify_all();
      mailboxes_.erase(it);
    }
    admission_.notify_all();
  }
  if (options_.on_end) options_.on_end(session);
}

Result<EventPage> Sessions::events(SessionId session, uint64_t acknowledged, Duration wait) {
  const Instant deadline = clock_.now() + std::clamp(wait, Duration{0}, options_.longest_poll);
  Lock lock(mutex_);
  TRY(table_.check(session));
  lease_.seen(session);
  mailbox(session);
  const std::shared_ptr<Mailbox> box = mailboxes_[session];
  for (const Event& event : box->queue.acknowledge(acknowledged)) {
    if (event.type == EventType::recall && raw(event.lease->inode) == 0)
      lease_.acknowledge(session, event.lease->generation);
  }
  admission_.notify_all();
  const uint64_t poll = ++box->polls;
  box->arrived.notify_all();
  box->arrived.wait_until(lock, deadline, [&] {
    return stopping_ || !box->queue.empty() || box->polls != poll || !table_.check(session).ok();
  });
  if (stopping_) return stopping();
  TRY(table_.check(session));
  return EventPage{box->queue.pending(), run()};
}

Result<std::optional<Lease>> Sessions::acquire_tree(SessionId session) {
  const Lock lock(mutex_);
  TRY(table_.check(session));
  lease_.seen(session);
  if (!lease_.acquire(session)) return std::optional<Lease>();
  return std::optional(lease_.lease(session));
}

Status Sessions::reclaim_tree(SessionId session, bool sole) {
  const Lock lock(mutex_);
  TRY(table_.check(session));
  lease_.seen(session);
  if (!sole) lease_.release(session);
  for (const auto& recall : lease_.reclaim(session)) push(recall.session, recall.lease);
  admission_.notify_all();
  return {};
}

Status Sessions::release_tree(SessionId session) {
  const Lock lock(mutex_);
  TRY(table_.check(session));
  lease_.release(session);
  admission_.notify_all();
  return {};
}

Result<Sessions::Standing> Sessions::standing_locked(SessionId session) const {
  if (raw(session) == 0) return Standing::outside;
  TRY(table_.check(session));
  if (!table_.sessions().at(session).request.mount) return Standing::outside;
  return lease_.sole(session) ? Standing::sole : Standing::shared;
}

Result<Sessions::Standing> Sessions::standing(SessionId session) const {
  const Lock lock(mutex_);
  return standing_locked(session);
}

Result<Sessions::Standing> Sessions::begin_change(SessionId session) {
  const Lock lock(mutex_);
  ASSIGN(const Standing standing, standing_locked(session));
  if (standing == Standing::sole) ++sole_changes_;
  return standing;
}

void Sessions::end_sole_change() {
  const Lock lock(mutex_);
  if (--sole_changes_ == 0) admission_.notify_all();
}

Status Sessions::check(SessionId session) const {
  if (raw(session) == 0) return {};
  const Lock lock(mutex_);
  return table_.check(session);
}

void Sessions::tick() {
  std::vector<SessionId> over;
  {
    const Lock lock(mutex_);
    over = table_.tick(clock_.now());
  }
  for (const SessionId session : over) {
    reached(RarePath::expired_session);
    if (const auto left_out = expiries_.admit(clock_.now()))
      spdlog::warn("session {} was not renewed in time and ends{}", raw(session), *left_out);
    const Outcome outcome = committer_.propose(EndSession{session, true});
    if (outcome.ok() || outcome.code() == Errc::no_session) {
      forget(session);
      continue;
    }
    spdlog::error("the end of session {} was not logged: {}", raw(session), outcome.error().what);
    const Lock lock(mutex_);
    table_.retry_expiry(session);
  }
}

void Sessions::map_changed() {
  const Lock lock(mutex_);
  for (const auto& [session, entry] : table_.sessions()) {
    if (!entry.request.mount) continue;
    Mailbox& box = mailbox(session);
    box.queue.push_map_changed();
    box.arrived.notify_all();
  }
}

void Sessions::lock_ended(SessionId session, const LockNotice& notice) {
  const Lock lock(mutex_);
  if (!table_.check(session).ok()) return;
  Mailbox& box = mailbox(session);
  box.queue.push_lock_ended(notice);
  box.arrived.notify_all();
}

size_t Sessions::unheard_locks(SessionId session) const {
  const Lock lock(mutex_);
  const auto box = mailboxes_.find(session);
  return box == mailboxes_.end() ? 0 : box->second->queue.lock_notices();
}

std::vector<SessionStatus> Sessions::list() const {
  const Lock lock(mutex_);
  const Instant now = clock_.now();
  std::vector<SessionStatus> list;
  for (const auto& [id, session] : table_.sessions()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(session.deadline - now).count();
    // Cut, so that the status of all sessions always fits in a reply.
    list.push_back({id, session.request.name.substr(0, kShownBytes), session.request.host.substr(0, kShownBytes),
                    session.request.pid, session.request.mount, std::max<int64_t>(0, left), 0});
  }
  return list;
}

void Sessions::stop() {
  const Lock lock(mutex_);
  stopping_ = true;
  admission_.notify_all();
  for (const auto& [session, box] : mailboxes_) box->arrived.notify_all();
}

}  // namespace cairn
