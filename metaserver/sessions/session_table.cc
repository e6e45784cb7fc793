#include "metaserver/sessions/session_table.h"

#include <fmt/format.h>

namespace cairn {

void SessionTable::add(SessionId session, const SessionRequest& request, Instant now) {
  Session& entry = sessions_[session];
  entry.request = request;
  entry.deadline = now + ttl_;
}

Status SessionTable::check(SessionId session) const {
  const auto it = sessions_.find(session);
  if (it == sessions_.end() || it->second.expiring) {
    return {Errc::no_session,
            fmt::format("session {} has ended or was not renewed for {} s: open a new one", raw(session),
                        std::chrono::duration_cast<std::chrono::seconds>(ttl_).count())};
  }
  return {};
}

Status SessionTable::renew(SessionId session, Instant now) {
  TRY(check(session));
  sessions_[session].deadline = now + ttl_;
  return {};
}

void SessionTable::remove(SessionId session) { sessions_.erase(session); }

std::vector<SessionId> SessionTable::tick(Instant now) {
  if (ticked_ && now - last_tick_ > kLateTick) {
    const Duration gap = now - last_tick_;
    for (auto& [id, session] : sessions_) session.deadline = session.deadline + gap;
  }
  ticked_ = true;
  last_tick_ = now;
  std::vector<SessionId> over;
  for (auto& [id, session] : sessions_) {
    if (session.expiring || session.deadline > now) continue;
    session.expiring = true;
    over.push_back(id);
  }
  return over;
}

void SessionTable::retry_expiry(SessionId session) {
  const auto it = sessions_.find(session);
  if (it != sessions_.end()) it->second.expiring = false;
}

}  // namespace cairn
