#include "metaserver/sessions/locks.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr uint32_t kMostRows = 4096;  // of one page

}  // namespace

Locks::Locks(Sessions& sessions, std::function<bool(SessionId)> others_unreclaimed, Options options)
    : sessions_(sessions),
      others_unreclaimed_(std::move(others_unreclaimed)),
      options_(options),
      table_(options.first_token, options.limits) {}

// The predicate is asked without the mutex, so its answer may be old when it arrives: then it is asked again.
void Locks::update_grace(SessionId session) {
  LockTable::Endings ended;
  for (bool settled = false; !settled;) {
    uint64_t version = 0;
    {
      const Lock lock(mutex_);
      version = grace_version_;
    }
    const bool back = others_unreclaimed_(session);
    const Lock lock(mutex_);
    settled = version == grace_version_;
    if (settled) table_.hold_back(session, back, ended);
  }
  tell(ended);
}

void Locks::grace_changed() {
  std::vector<SessionId> waiting;
  {
    const Lock lock(mutex_);
    ++grace_version_;
    waiting = table_.held_back();
  }
  for (const SessionId session : waiting) update_grace(session);
}

Result<LockAnswer> Locks::once(const Mutation& mutation, uint64_t run,
                               const std::function<Result<LockTable::Answer>(LockTable::Endings&)>& act) {
  const SessionId session = mutation.session;
  TRY(sessions_.check(session));
  update_grace(session);
  LockTable::Endings ended;
  LockAnswer answer{options_.run, LockOutcome::reclaim_first, 0};
  {
    const Lock lock(mutex_);
    LockAnswers& answers = answers_[session];
    ASSIGN(const auto before, answers.find(mutation));
    if (before) return *before;
    if (run == 0 || run == options_.run) {
      const Result<LockTable::Answer> done = act(ended);
      if (!done.ok() && done.code() != Errc::busy) return done.error();
      answer.outcome = done.ok() ? done->outcome : LockOutcome::no_room;
      answer.token = done.ok() ? done->token : 0;
    }
    answers.add(mutation, answer);
  }
  tell(ended);
  // It may have ended after the first look, and before the table knew anything to forget.
  if (const Status alive = sessions_.check(session); !alive.ok()) {
    session_ended(session);
    return alive.error();
  }
  return answer;
}

Result<LockAnswer> Locks::lock(const Mutation& mutation, const LockCall& call) {
  // What was granted and not yet heard of counts too, so that nobody's queue of events grows without end.
  if (call.mode != LockMode::none && sessions_.unheard_locks(mutation.session) >= options_.limits.waiting)
    return LockAnswer{options_.run, LockOutcome::no_room, 0};
  return once(mutation, call.run,
              [&](LockTable::Endings& ended) { return table_.acquire(mutation.session, call, ended); });
}

Result<LockAnswer> Locks::cancel(const Mutation& mutation, uint64_t run, uint64_t waiter) {
  return once(mutation, run, [&](LockTable::Endings& ended) -> Result<LockTable::Answer> {
    const bool was_waiting = table_.cancel(mutation.session, waiter, ended);
    return LockTable::Answer{was_waiting ? LockOutcome::conflict : LockOutcome::granted, 0};
  });
}

Result<LockAnswer> Locks::reclaim(const Mutation& mutation, const LockReclaim& reclaim) {
  uint64_t lost = 0;
  const auto answer = once(mutation, 0, [&](LockTable::Endings& ended) -> Result<LockTable::Answer> {
    lost = table_.reclaim(mutation.session, reclaim, ended);
    return LockTable::Answer{};
  });
  if (lost > 0)
    spdlog::error("session {} reclaimed {} locks; {} of them are held by others", raw(mutation.session),
                  reclaim.held.size(), lost);
  return answer;
}

Result<std::optional<LockInfo>> Locks::test(SessionId session, const HeldLock& wanted) const {
  TRY(sessions_.check(session));
  if (others_unreclaimed_(session))
    return Error{Errc::busy, "the metaserver has restarted, and not all mounts have told their locks yet"};
  std::optional<LockInfo> found;
  {
    const Lock lock(mutex_);
    found = table_.test(session, wanted);
  }
  if (!found) return found;
  std::vector<LockInfo> one{*found};
  add_names(one);
  return std::optional<LockInfo>(one.front());
}

Result<LockPage> Locks::list(const LockListCall& call) const {
  LockListCall bounded = call;
  bounded.limit = std::min(bounded.limit, kMostRows);
  LockPage page;
  {
    const Lock lock(mutex_);
    page = table_.list(bounded);
  }
  add_names(page.locks);
  return page;
}

void Locks::add_names(std::vector<LockInfo>& locks) const {
  if (locks.empty()) return;
  std::map<SessionId, SessionStatus> known;
  for (SessionStatus& session : sessions_.list()) known.emplace(session.session, std::move(session));
  for (LockInfo& lock : locks) {
    const auto found = known.find(lock.session);
    if (found == known.end()) continue;  // it ends just now
    lock.session_name = found->second.name;
    lock.host = found->second.host;
    lock.session_pid = found->second.pid;
  }
}

void Locks::session_ended(SessionId session) {
  LockTable::Endings ended;
  {
    const Lock lock(mutex_);
    table_.end_session(session, ended);
    answers_.erase(session);
  }
  tell(ended);
}

void Locks::tell(const LockTable::Endings& ended) const {
  for (const LockTable::Ended& one : ended)
    sessions_.lock_ended(one.session, {options_.run, one.waiter, one.answer.outcome, one.answer.token});
}

}  // namespace cairn
