#include "metaserver/sessions/admission.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr int kLookups = 100;  // a name that names another inode each time it is looked at
constexpr Lease kTree{InodeId{0}, LeaseKind::exclusive, 0};

bool is_tree(const Lease& lease) { return raw(lease.inode) == 0; }

// Lets no other mount in while the sole one changes something.
class SoleChange {
 public:
  explicit SoleChange(Sessions& sessions) : sessions_(sessions) {}
  SoleChange(const SoleChange&) = delete;
  ~SoleChange() { sessions_.end_sole_change(); }

 private:
  Sessions& sessions_;
};

}  // namespace

Result<bool> Admission::admit(SessionId session, InodeId inode) const {
  ASSIGN(const Sessions::Standing standing, sessions_.standing(session));
  if (standing != Sessions::Standing::shared) return false;
  return leases_.admit_read(session, inode, Leases::Use::look);
}

Admission::Looked<Entry> Admission::lookup(SessionId session, InodeId parent, const std::string& name) const {
  const auto named = [&](const StoreView& view) { return queries::lookup(view, parent, name); };
  Looked<Entry> in_parent = look(session, parent, named);
  if (!in_parent.answer.ok()) return in_parent;
  for (int attempt = 0; attempt < kLookups; ++attempt) {
    const InodeId inode = in_parent.answer->attributes.inode;
    Looked<Entry> found = look(session, inode, named);  // its attributes as of now, when nobody writes to it
    if (!found.answer.ok() || found.answer->attributes.inode == inode)
      return {std::move(found.answer), in_parent.leased && found.leased};
    in_parent.answer = std::move(found.answer);
  }
  return {Error{Errc::busy, "the name changes faster than it can be looked up"}, false};
}

Outcome Admission::change(Command command) {
  const SessionId session = command.mutation.session;
  ASSIGN(const Sessions::Standing standing, sessions_.begin_change(session));
  if (standing == Sessions::Standing::sole) {
    const SoleChange guard(sessions_);
    return committer_.propose(std::move(command));
  }
  ASSIGN(Leases::Change admitted, leases_.admit_change(session, affected_inodes(*store_.view(), command.body)));
  Outcome outcome = committer_.propose(std::move(command));
  if (!outcome.ok()) return outcome;
  leases_.extend(admitted, answered_inodes(*outcome));
  if (const InodeId orphan = orphan_of(*outcome); raw(orphan) != 0) pin_where_open(session, orphan);
  return outcome;
}

void Admission::pin_where_open(SessionId session, InodeId orphan) {
  const std::vector<SessionId> openers = leases_.openers(session, orphan);
  if (!openers.empty()) pin(orphan, openers);
}

void Admission::pin(InodeId orphan, const std::vector<SessionId>& sessions) {
  const Outcome outcome = committer_.propose(PinOrphan{orphan, sessions});
  if (!outcome.ok())
    spdlog::warn("inode {} is open elsewhere and was not pinned: {}", raw(orphan), outcome.error().what);
}

Outcome Admission::make(Command command, bool& leased) {
  const SessionId session = command.mutation.session;
  Outcome outcome = change(std::move(command));
  if (!outcome.ok()) return outcome;
  const Entry* const named = std::get_if<Entry>(&*outcome);
  const Attributes* const made = named != nullptr ? &named->attributes : std::get_if<Attributes>(&*outcome);
  if (made == nullptr) return outcome;
  const Result<Sessions::Standing> standing = sessions_.standing(session);
  // Another mount may have looked the new name up already: then there is no lease, which is right too.
  leased = standing.ok() && *standing == Sessions::Standing::shared && leases_.granted_new(session, made->inode);
  return outcome;
}

Outcome Admission::forget_orphans(Command command) {
  const SessionId session = command.mutation.session;
  ASSIGN(const Sessions::Standing standing, sessions_.standing(session));
  if (standing == Sessions::Standing::shared) TRY(leases_.wait_for_reclaims(session));
  const std::vector<InodeId> inodes = std::get<ForgetOrphans>(command.body).inodes;
  Outcome outcome = committer_.propose(std::move(command));
  for (const InodeId inode : inodes) leases_.drop(session, inode);
  return outcome;
}

Result<SessionGrant> Admission::open(const SessionRequest& request) {
  ASSIGN(const SessionGrant grant, sessions_.open(request));
  (void)leases_.reclaim(grant.session, {}, true);
  return grant;
}

Result<std::vector<Lease>> Admission::acquire(SessionId session, const std::vector<Lease>& leases) {
  std::vector<Lease> granted;
  for (const Lease& lease : leases) {
    if (is_tree(lease)) {
      ASSIGN(const std::optional<Lease> tree, sessions_.acquire_tree(session));
      if (!tree) continue;
      leases_.end(session);
      granted.push_back(*tree);
      continue;
    }
    ASSIGN(const Sessions::Standing standing, sessions_.standing(session));
    if (standing == Sessions::Standing::outside) continue;
    if (lease.kind == LeaseKind::write) {
      TRY(leases_.acquire_write(session, lease.inode));
    } else {
      ASSIGN(const bool leased, leases_.admit_read(session, lease.inode, Leases::Use::open));
      if (!leased) continue;
    }
    granted.push_back({lease.inode, lease.kind, sessions_.run()});
  }
  return granted;
}

Result<std::vector<Lease>> Admission::reclaim(SessionId session, const std::vector<Lease>& leases, bool last,
                                              uint64_t run) {
  TRY(sessions_.check(session));
  // The last page of what was told to an earlier run must not count for the whole.
  if (run != sessions_.run()) return Error{Errc::stale_epoch, "the metaserver has restarted: name all leases again"};
  std::vector<Lease> held = leases_.reclaim(session, leases, false);
  for (const Lease& lease : leases) {
    // Without names, and open there: the session that removed it has not freed it, because that waits for this.
    if (is_tree(lease)) continue;
    const Result<Attributes> inode = queries::attributes(*store_.view(), lease.inode);
    if (inode.ok() && inode->links == 0) pin(lease.inode, {session});
  }
  if (!last) return held;
  const bool sole = std::ranges::any_of(leases, is_tree);
  TRY(sessions_.reclaim_tree(session, sole));
  if (sole) held.push_back(kTree);
  (void)leases_.reclaim(session, {}, true);
  return held;
}

Status Admission::release(SessionId session, const std::vector<Lease>& leases, const std::vector<InodeId>& open) {
  TRY(sessions_.check(session));
  leases_.acknowledge(session, leases, open);
  if (std::ranges::any_of(leases, is_tree)) TRY(sessions_.release_tree(session));
  return {};
}

}  // namespace cairn
