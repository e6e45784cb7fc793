#include "client/sessions/session_core.h"

#include <algorithm>

namespace cairn {

void SessionCore::on_renewed(Instant asked_at, Duration ttl) {
  ttl_ = std::max<Duration>(ttl, 8ms);
  asked_at_ = asked_at;
  renew_at_ = asked_at + ttl_ / 4;
  trust_until_ = std::max(trust_until_, asked_at + ttl_ / 8 * 7);
}

void SessionCore::on_renewal_failed(Instant now) { renew_at_ = now + std::clamp<Duration>(ttl_ / 16, 1ms, 1s); }

}  // namespace cairn
