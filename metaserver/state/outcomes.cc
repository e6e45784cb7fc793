#include "metaserver/state/outcomes.h"

#include "common/probes/planted_bug.h"
#include "common/probes/rare_path.h"
#include "metaserver/state/command_codec.h"
#include "metaserver/state/rows.h"

namespace cairn {

namespace {

// Dropping begins when so many rows are due, so that most commands do not scan.
constexpr uint64_t kDropFrom = 32;
constexpr size_t kDropAtMost = 128;

Result<std::vector<std::string>> outcome_keys(const StoreView& view, const std::string& from, const std::string& to,
                                              size_t limit) {
  std::vector<std::string> found;
  TRY(view.scan(from, to, [&](std::string_view key, std::string_view) {
    found.emplace_back(key);
    return found.size() < limit;
  }));
  return found;
}

// Erases outcomes in front of the lowest unanswered one, from where the last call stopped.
Status drop_some(Transaction& transaction, SessionId session, OutcomeWindowRow& window) {
  if (raw(window.lowest_unanswered) - raw(window.first_kept) < kDropFrom) return {};
  ASSIGN(const std::vector<std::string> due,
         outcome_keys(transaction, keys::outcome(session, window.first_kept),
                      keys::outcome(session, window.lowest_unanswered), kDropAtMost));
  for (const std::string& key : due) transaction.erase(key);
  window.first_kept = window.lowest_unanswered;
  if (due.size() == kDropAtMost) {
    keys::Reader reader(Table::outcome, due.back());
    reader.number();
    window.first_kept = RequestId{reader.number() + 1};
    TRY(reader.finish());
  }
  return {};
}

}  // namespace

Result<std::optional<Outcome>> earlier_outcome(const StoreView& view, const Mutation& mutation) {
  ASSIGN(const std::optional<std::string> session, view.get(keys::session(mutation.session)));
  if (!session && !planted(PlantedBug::skip_epoch_check)) {
    reached(RarePath::late_change);
    return Error{Errc::no_session, fmt::format("session {} does not exist or has expired", raw(mutation.session))};
  }
  ASSIGN(const std::optional<OutcomeWindowRow> window,
         find_row<OutcomeWindowRow>(view, keys::outcome_window(mutation.session)));
  if (raw(mutation.request) == 0 || (window && mutation.request < window->lowest_unanswered)) {
    reached(RarePath::late_change);
    return Error{Errc::invalid, fmt::format("request {} of session {} was answered long ago", raw(mutation.request),
                                            raw(mutation.session))};
  }
  if (planted(PlantedBug::forget_outcome)) return std::optional<Outcome>();
  ASSIGN(std::optional<Outcome> outcome, queries::outcome(view, mutation.session, mutation.request));
  if (outcome) {
    reached(RarePath::replayed_request);
    return outcome;
  }
  const RequestId said = std::min(mutation.lowest_unanswered, mutation.request);
  const uint64_t lowest = raw(window ? std::max(window->lowest_unanswered, said) : said);
  if (raw(mutation.request) - lowest >= kMaxUnanswered) {
    return Error{Errc::busy, fmt::format("session {} says that its request {} has no answer yet, so request {} must "
                                         "wait: at most {} outcomes are kept for a session",
                                         raw(mutation.session), lowest, raw(mutation.request), kMaxUnanswered)};
  }
  return outcome;
}

Status store_outcome(Transaction& transaction, const Mutation& mutation, const Outcome& outcome) {
  transaction.put(keys::outcome(mutation.session, mutation.request), encode_outcome(outcome));
  const std::string key = keys::outcome_window(mutation.session);
  ASSIGN(const std::optional<OutcomeWindowRow> found, find_row<OutcomeWindowRow>(transaction, key));
  OutcomeWindowRow window = found.value_or(OutcomeWindowRow{});
  // A client that names a future request as answered would lock itself out; it is taken at its word only up to this
  // request.
  window.lowest_unanswered = std::max(window.lowest_unanswered, std::min(mutation.lowest_unanswered, mutation.request));
  TRY(drop_some(transaction, mutation.session, window));
  if (found != window) transaction.put(key, encode_row(window));
  return {};
}

Status drop_outcomes(Transaction& transaction, SessionId session) {
  ASSIGN(const std::vector<std::string> all, outcome_keys(transaction, keys::first(Table::outcome, raw(session)),
                                                          keys::last(Table::outcome, raw(session)), SIZE_MAX));
  for (const std::string& key : all) transaction.erase(key);
  transaction.erase(keys::outcome_window(session));
  return {};
}

}  // namespace cairn
