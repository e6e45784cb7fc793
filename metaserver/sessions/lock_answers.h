// Which lock calls of a session were done, so that each happens once however often it arrives: a repetition is answered
// as before, and a copy that comes after the client has had its answer does nothing.
//
// The metaserver's log does this for what it stores (outcomes.h); locks are not stored. Bounded: the client names the
// lowest request that it may still repeat. Pure: the caller serialises.
#pragma once

#include <algorithm>
#include <map>
#include <optional>

#include "common/base/result.h"
#include "common/meta/locks.h"
#include "common/meta/requests.h"

namespace cairn {

class LockAnswers {
 public:
  static constexpr size_t kMost = 65'536;  // a client stops there by itself (MetaClient::Options::most_unanswered)

  // The answer that it had; nothing: it is new, and to be done. invalid: a late copy, which nobody waits for. busy: too
  // many are remembered.
  Result<std::optional<LockAnswer>> find(const Mutation& mutation) {
    floor_ = std::max(floor_, raw(mutation.lowest_unanswered));
    known_.erase(known_.begin(), known_.lower_bound(floor_));
    if (raw(mutation.request) < floor_) return Error{Errc::invalid, "this call was answered before"};
    const auto known = known_.find(raw(mutation.request));
    if (known != known_.end()) return std::optional<LockAnswer>(known->second);
    if (known_.size() >= kMost) return Error{Errc::busy, "too many calls for locks have had no answer yet"};
    return std::optional<LockAnswer>();
  }
  void add(const Mutation& mutation, const LockAnswer& answer) { known_[raw(mutation.request)] = answer; }

 private:
  uint64_t floor_ = 0;
  std::map<uint64_t, LockAnswer> known_;  // by request
};

}  // namespace cairn
