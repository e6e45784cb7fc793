// Inodes without names, and the extents that deleted files leave behind.
#include "common/probes/rare_path.h"
#include "metaserver/ops/free_inode.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

constexpr uint32_t kMostAtOnce = 10'000;

}  // namespace

Result<Answer> run(Operation& operation, const ForgetOrphans& request) {
  for (const InodeId inode : request.inodes) TRY(free_orphan(operation, operation.session, inode));
  return Answer();
}

Result<Answer> run(Operation& operation, const PinOrphan& request) {
  ASSIGN(InodeRow* const inode, operation.find(request.inode));
  if (inode == nullptr || inode->attributes.links > 0) return Answer();
  for (const SessionId session : request.sessions) {
    ASSIGN(const std::optional<SessionRow> alive, find_row<SessionRow>(operation.rows, keys::session(session)));
    if (alive) operation.rows.put(keys::orphan(session, request.inode), encode_row(operation.born()));
  }
  return Answer();
}

Result<Answer> run(Operation& operation, const ReleaseExtents& request) {
  if (request.limit == 0 || request.limit > kMostAtOnce) {
    return Error{Errc::invalid, fmt::format("a step releases 1 to {} extents", kMostAtOnce)};
  }
  const MapId map{raw(request.inode)};
  ASSIGN(const std::optional<BirthRow> listed, find_row<BirthRow>(operation.rows, keys::release(map)));
  if (!listed) return Answer();  // done before, or somebody's extents: nothing is given back on a mere word
  ASSIGN(const size_t released, release_extents(operation.rows, operation.ledger(), map, request.limit));
  reached(RarePath::released_orphan);
  if (released < request.limit) operation.rows.erase(keys::release(map));
  return Answer();
}

}  // namespace cairn::ops
