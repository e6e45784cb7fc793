#include "metaserver/ops/free_inode.h"

namespace cairn::ops {

namespace {

Status erase_xattrs(Operation& operation, const InodeRow& inode) {
  if (inode.xattr_names == 0) return {};
  const uint64_t id = raw(inode.attributes.inode);
  std::vector<std::string> found;
  TRY(operation.rows.scan(keys::first(Table::xattr, id), keys::last(Table::xattr, id),
                          [&](std::string_view key, std::string_view) {
                            found.emplace_back(key);
                            return true;
                          }));
  for (const std::string& key : found) operation.rows.erase(key);
  return {};
}

}  // namespace

void drop_content(Operation& operation, InodeRow& inode) {
  if (inode.content_bytes == 0) return;
  operation.rows.erase(keys::content(inode.attributes.inode));
  if (is_regular(inode)) inode.attributes.stored -= inode.content_bytes;
  inode.content_bytes = 0;
}

Status drop_data(Operation& operation, InodeRow& inode) {
  drop_content(operation, inode);
  if (inode.extents <= kFreeAtOnce) return operation.extents(inode).remove(0, UINT64_MAX);
  // The inode goes on with an empty map; the old one keeps its live bytes until it is released.
  operation.rows.put(keys::release(inode.map), encode_row(operation.born()));
  ASSIGN(const InodeId fresh, operation.next_inode());
  inode.map = MapId{raw(fresh)};
  inode.extents = 0;
  inode.attributes.stored = 0;
  return {};
}

Status free_inode(Operation& operation, InodeRow& inode) {
  TRY(drop_data(operation, inode));
  TRY(erase_xattrs(operation, inode));
  ASSIGN(queries::Counters* const counters, operation.counters());
  --counters->inodes;
  operation.erase(inode.attributes.inode);
  return {};
}

namespace {

// Sessions are few, and a row for each inode and opener would cost every unlink of a sole mount.
Result<bool> pinned_by_others(Operation& operation, InodeId id) {
  ASSIGN(queries::Counters* const counters, operation.counters());
  if (counters->sessions <= 1) return false;
  std::vector<SessionId> sessions;
  TRY(operation.rows.scan(keys::first(Table::session), keys::last(Table::session),
                          [&](std::string_view key, std::string_view) {
                            sessions.push_back(SessionId{keys::Reader(Table::session, key).number()});
                            return true;
                          }));
  for (const SessionId session : sessions) {
    ASSIGN(const std::optional<BirthRow> pinned, find_row<BirthRow>(operation.rows, keys::orphan(session, id)));
    if (pinned) return true;
  }
  return false;
}

}  // namespace

Status free_orphan(Operation& operation, SessionId session, InodeId id) {
  const std::string key = keys::orphan(session, id);
  ASSIGN(const std::optional<BirthRow> pinned, find_row<BirthRow>(operation.rows, key));
  if (!pinned) return {};
  operation.rows.erase(key);
  ASSIGN(const bool others, pinned_by_others(operation, id));
  if (others) return {};
  ASSIGN(InodeRow* const inode, operation.find(id));
  if (inode == nullptr) return Error{Errc::corrupt, fmt::format("metadata: the orphan {} does not exist", raw(id))};
  return free_inode(operation, *inode);
}

}  // namespace cairn::ops
