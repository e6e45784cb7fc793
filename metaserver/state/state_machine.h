// apply(index, command): the one place where the metadata changes. Deterministic: no clock, no random choice, no I/O
// but the view.
//
// ops/ has one file for each operation, read as prose: check, resolve, permit, change. Reads are in queries.h.
#pragma once

#include <vector>

#include "metaserver/state/command.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

class Transaction;  // transaction.h: the pending changes of a batch over a view

// Applies one command on top of what the transaction already holds. An Error outcome has changed nothing (but may be
// stored as the outcome of the session's request). A failing read of the store is the Status of the whole: the process
// must stop.
Result<Outcome> apply(Transaction& transaction, LogIndex index, const Command& command);

// An empty database: root directory, default storage class, incarnation, counters.
struct Genesis {
  Incarnation incarnation{};
  StorageClass default_class;
  int64_t wall_ns = 0;
};
std::vector<StoreWrite> genesis(const Genesis& genesis);

// Hash over every row but the applied index: equal states have equal hashes.
Result<uint64_t> state_hash(const StoreView& view);

}  // namespace cairn
