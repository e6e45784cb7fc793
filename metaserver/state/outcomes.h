// Stored outcomes: a request that comes twice is applied once, and answered twice.
//
//   request < lowest unanswered     the client has its answer: a late duplicate, refused
//   stored                          answered from the row
//   far above lowest unanswered     busy: what is stored for one session is bounded
//   otherwise                       applied, and its outcome stored
//
// Each request tells the session's lowest unanswered id; what is older is dropped, a bounded number of rows at a time.
#pragma once

#include "metaserver/state/command.h"
#include "metaserver/state/transaction.h"

namespace cairn {

// A request may be so far above the lowest unanswered one of its session: as many outcomes are stored, at most. Clients
// stop earlier (common/rpc/meta_client.cc).
inline constexpr uint64_t kMaxUnanswered = 256u << 10;

// The answer that the request already has, if it has one. no_session: the session does not exist. invalid: a late
// duplicate. busy: beyond kMaxUnanswered.
Result<std::optional<Outcome>> earlier_outcome(const StoreView& view, const Mutation& mutation);

// Keeps the outcome, and drops some of those that the client no longer asks for.
Status store_outcome(Transaction& transaction, const Mutation& mutation, const Outcome& outcome);

// All of a session that ends.
Status drop_outcomes(Transaction& transaction, SessionId session);

}  // namespace cairn
