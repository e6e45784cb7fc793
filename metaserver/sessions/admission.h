// The way of a call through the leases: looks and changes of a session, admitted, done, and seen to their end.
//
//   sole mount    straight to the store or the log: nobody else keeps anything
//   shared        leases.h first
//   outside       a tool: its changes are admitted like a mount's, its looks are not (they may show what is a little
//   old)
//
// Any thread. Not here: what waits for what (leases.h), which inodes a change is about (affected.h).
#pragma once

#include "metaserver/log/committer.h"
#include "metaserver/sessions/affected.h"
#include "metaserver/sessions/leases.h"
#include "metaserver/sessions/sessions.h"
#include "metaserver/state/queries.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

class Admission {
 public:
  Admission(Committer& committer, const OrderedStore& store, Sessions& sessions, Leases& leases)
      : committer_(committer), store_(store), sessions_(sessions), leases_(leases) {}

  template <typename T>
  struct Looked {
    Result<T> answer;
    bool leased = false;
  };
  // query(view) about one inode.
  template <typename Query>
  auto look(SessionId session, InodeId inode, const Query& query) const
      -> Looked<std::decay_t<decltype(query(std::declval<const StoreView&>()).value())>> {
    const Result<bool> admitted = admit(session, inode);
    if (!admitted.ok()) return {admitted.error(), false};
    auto answer = query(*store_.view());
    const bool gone = !answer.ok() && answer.code() == Errc::stale_handle;
    if (gone) leases_.drop(session, inode);
    return {std::move(answer), *admitted && !gone};
  }
  // The leases are of the directory and of what the name is.
  Looked<Entry> lookup(SessionId session, InodeId parent, const std::string& name) const;

  Outcome change(Command command);
  // Of MakeNode and MakeAnonymous: `leased` if the session has the write lease of the new inode.
  Outcome make(Command command, bool& leased);
  // Inodes without names are freed: not before every session could say that it has them open.
  Outcome forget_orphans(Command command);

  Result<SessionGrant> open(const SessionRequest& request);  // it holds nothing, also if the metaserver has restarted
  Result<std::vector<Lease>> acquire(SessionId session, const std::vector<Lease>& leases);
  Result<std::vector<Lease>> reclaim(SessionId session, const std::vector<Lease>& leases, bool last, uint64_t run);
  Status release(SessionId session, const std::vector<Lease>& leases, const std::vector<InodeId>& open);

 private:
  Result<bool> admit(SessionId session, InodeId inode) const;
  void pin_where_open(SessionId session, InodeId orphan);
  void pin(InodeId orphan, const std::vector<SessionId>& sessions);

  Committer& committer_;
  const OrderedStore& store_;
  Sessions& sessions_;
  Leases& leases_;
};

}  // namespace cairn
