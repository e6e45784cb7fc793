// One command: its time, its session, its retry; then the operation itself.
#include "metaserver/ops/operations.h"
#include "metaserver/state/outcomes.h"
#include "metaserver/state/state_machine.h"

namespace cairn {

namespace {

// The store failed, or the metadata is damaged: no outcome, the process must stop.
bool is_store_failure(Errc code) { return code == Errc::corrupt || code == Errc::io || code == Errc::unavailable; }

// Runs the body; an Error outcome has taken back what it changed. The outer error is the store's.
Result<Outcome> run_body(Transaction& transaction, LogIndex index, int64_t wall_ns, const Command& command) {
  transaction.savepoint();
  Operation operation(transaction, index, command.mutation.session, wall_ns);
  Outcome outcome = std::visit([&](const auto& body) { return ops::run(operation, body); }, command.body);
  if (outcome.ok()) {
    if (const Status settled = operation.settle(); !settled.ok()) outcome = settled.error();
  }
  if (outcome.ok()) return Result<Outcome>(std::move(outcome));
  if (is_store_failure(outcome.code())) return outcome.error();
  transaction.rollback();
  return Result<Outcome>(std::move(outcome));
}

// A session's request, applied once however often it comes.
Result<Outcome> run_once(Transaction& transaction, LogIndex index, int64_t wall_ns, const Command& command) {
  Result<std::optional<Outcome>> earlier = earlier_outcome(transaction, command.mutation);
  if (!earlier.ok()) {
    if (is_store_failure(earlier.code())) return earlier.error();
    return Result<Outcome>(Outcome(earlier.error()));  // no_session, or a late duplicate
  }
  if (*earlier) return Result<Outcome>(std::move(**earlier));
  ASSIGN(Outcome outcome, run_body(transaction, index, wall_ns, command));
  TRY(store_outcome(transaction, command.mutation, outcome));
  return Result<Outcome>(std::move(outcome));
}

}  // namespace

Result<Outcome> apply(Transaction& transaction, LogIndex index, const Command& command) {
  ASSIGN(const queries::Applied before, queries::applied(transaction));
  if (raw(index) != raw(before.index) + 1) {
    return Error{Errc::corrupt,
                 fmt::format("the log goes on with {}, but the state is that of {}", raw(index), raw(before.index))};
  }
  const int64_t wall_ns = std::max(before.wall_ns, command.wall_ns);
  // An ending session has no place for an outcome; ending it twice is harmless. Opening one has its nonce.
  const bool with_outcome = command.mutation.session != SessionId{} &&
                            !std::holds_alternative<EndSession>(command.body) &&
                            !std::holds_alternative<OpenSession>(command.body);
  ASSIGN(Outcome outcome, with_outcome ? run_once(transaction, index, wall_ns, command)
                                       : run_body(transaction, index, wall_ns, command));
  transaction.put(kAppliedKey, encode_row(AppliedRow{{index, wall_ns}}));
  return Result<Outcome>(std::move(outcome));
}

}  // namespace cairn
