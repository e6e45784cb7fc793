// A mount or tool comes and goes.
#include "metaserver/ops/chunks.h"
#include "metaserver/ops/free_inode.h"
#include "metaserver/ops/operations.h"
#include "metaserver/state/outcomes.h"

namespace cairn::ops {

Result<Answer> run(Operation& operation, const OpenSession& request) {
  const SessionRequest& wanted = request.request;
  if (wanted.name.size() > 4096 || wanted.host.size() > 4096)
    return Error{Errc::too_big, "a session's name has at most 4096 bytes"};
  const std::string nonce_key = keys::nonce(wanted.nonce);
  if (wanted.nonce != 0) {  // a retry
    ASSIGN(const std::optional<NonceRow> known, find_row<NonceRow>(operation.rows, nonce_key));
    if (known) return Answer(known->session);
  }

  ASSIGN(queries::Counters* const counters, operation.counters());
  const SessionId session{counters->next_session++};
  ++counters->sessions;
  operation.rows.put(keys::session(session), encode_row(SessionRow{operation.index, wanted, operation.wall_ns}));
  if (wanted.nonce != 0) operation.rows.put(nonce_key, encode_row(NonceRow{session}));
  return Answer(session);
}

namespace {

Status free_orphans_of(Operation& operation, SessionId session) {
  std::vector<InodeId> orphans;
  Status damaged;
  TRY(operation.rows.scan(keys::first(Table::orphan, raw(session)), keys::last(Table::orphan, raw(session)),
                          [&](std::string_view key, std::string_view) {
                            keys::Reader reader(Table::orphan, key);
                            reader.number();
                            orphans.push_back(InodeId{reader.number()});
                            damaged = reader.finish();
                            return damaged.ok();
                          }));
  TRY(damaged);
  for (const InodeId inode : orphans) TRY(free_orphan(operation, session, inode));
  return {};
}

}  // namespace

Result<Answer> run(Operation& operation, const EndSession& request) {
  if (operation.session != SessionId{} && operation.session != request.session) {
    return Error{Errc::not_permitted,
                 fmt::format("session {} cannot end session {}", raw(operation.session), raw(request.session))};
  }
  const std::string key = keys::session(request.session);
  ASSIGN(const std::optional<SessionRow> session, find_row<SessionRow>(operation.rows, key));
  if (!session) return Answer();  // it has ended: a retry, or both the client and the clock

  TRY(seal_all_of(operation, request.session));
  TRY(free_orphans_of(operation, request.session));
  TRY(drop_outcomes(operation.rows, request.session));
  if (session->request.nonce != 0) operation.rows.erase(keys::nonce(session->request.nonce));
  operation.rows.erase(key);
  ASSIGN(queries::Counters* const counters, operation.counters());
  --counters->sessions;
  return Answer();
}

}  // namespace cairn::ops
