// When sessions end: each has a TTL, renewed by its owner; one that is silent for longer is expired by a logged
// EndSession.
//
//   opened/restored --renew--> deadline = now + TTL      deadline passed --> expiring --> ended (EndSession was
//   committed)
//
// Nobody is blamed for our own silence: restored sessions get a full TTL, and when tick() itself comes late (a stopped
// process, a stalled disk) every deadline moves by the gap. An expiring session is refused: its end is being logged.
// Pure: the caller serialises and brings the time. Not here: what an end does (ops), leases (tree_lease.h).
#pragma once

#include <map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/meta/session.h"

namespace cairn {

class SessionTable {
 public:
  struct Session {
    SessionRequest request;
    Instant deadline;
    bool expiring = false;
  };
  explicit SessionTable(Duration ttl) : ttl_(ttl) {}

  // A session that was opened now, or read back from the store at the start, or asked for again by its nonce.
  void add(SessionId session, const SessionRequest& request, Instant now);
  // no_session: it has ended or is expiring.
  Status renew(SessionId session, Instant now);
  Status check(SessionId session) const;
  void remove(SessionId session);
  // To be called about once a second. Returns the sessions whose time is over, each once: they are expiring now.
  std::vector<SessionId> tick(Instant now);
  // The end of an expiring session could not be logged: try again at a later tick.
  void retry_expiry(SessionId session);

  Duration ttl() const { return ttl_; }
  const std::map<SessionId, Session>& sessions() const { return sessions_; }

 private:
  static constexpr Duration kLateTick = 3s;  // three times the expected distance
  Duration ttl_;
  std::map<SessionId, Session> sessions_;
  Instant last_tick_{};
  bool ticked_ = false;
};

}  // namespace cairn
