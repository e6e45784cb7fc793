#include "metaserver/ops/names.h"

#include "metaserver/ops/free_inode.h"

namespace cairn::ops {

Status check_name(std::string_view name) {
  if (name.empty()) return Error{Errc::not_found, "the empty name names nothing"};
  if (name.size() > kMaxNameBytes) {
    return Error{Errc::name_too_long, fmt::format("a name of {} bytes; {} are allowed", name.size(), kMaxNameBytes)};
  }
  if (name == "." || name == "..") return Error{Errc::invalid, "the names . and .. belong to every directory"};
  if (name.find('/') != name.npos || name.find('\0') != name.npos) {
    return Error{Errc::invalid, "a name has neither a slash nor a NUL"};
  }
  return {};
}

Result<std::optional<DentryRow>> find_dentry(Operation& operation, InodeId parent, std::string_view name) {
  return find_row<DentryRow>(operation.rows, keys::dentry(parent, name));
}

Result<Named> resolve(Operation& operation, InodeId parent, std::string_view name) {
  ASSIGN(const std::optional<DentryRow> dentry, find_dentry(operation, parent, name));
  if (!dentry) return Error{Errc::not_found, fmt::format("directory {} has no '{}'", raw(parent), name)};
  ASSIGN(InodeRow* const inode, operation.find(dentry->inode));
  if (inode == nullptr) {
    return Error{Errc::corrupt, fmt::format("metadata: '{}' in directory {} names inode {}, which does not exist", name,
                                            raw(parent), raw(dentry->inode))};
  }
  return Named{*dentry, inode};
}

void put_dentry(Operation& operation, InodeId parent, std::string_view name, InodeId inode, uint64_t cookie) {
  operation.rows.put(keys::dentry(parent, name), encode_row(DentryRow{operation.index, inode, cookie}));
  operation.rows.put(keys::cookie(parent, cookie), encode_row(CookieRow{operation.index, inode, std::string(name)}));
}

void erase_dentry(Operation& operation, InodeId parent, std::string_view name, uint64_t cookie) {
  operation.rows.erase(keys::dentry(parent, name));
  operation.rows.erase(keys::cookie(parent, cookie));
}

uint64_t enter(Operation& operation, InodeRow& parent, std::string_view name, const InodeRow& inode) {
  const uint64_t cookie = parent.next_cookie++;
  put_dentry(operation, parent.attributes.inode, name, inode.attributes.inode, cookie);
  ++parent.attributes.size;
  if (is_directory(inode)) ++parent.attributes.links;
  operation.touch_names(parent);
  return cookie;
}

void leave(Operation& operation, InodeRow& parent, std::string_view name, const Named& named) {
  erase_dentry(operation, parent.attributes.inode, name, named.dentry.cookie);
  --parent.attributes.size;
  if (is_directory(*named.inode)) --parent.attributes.links;
  operation.touch_names(parent);
}

Status lose_name(Operation& operation, InodeRow& inode) {
  operation.touch_ctime(inode);
  inode.attributes.links = is_directory(inode) ? 0 : inode.attributes.links - 1;
  if (inode.attributes.links > 0) return {};
  if (operation.session == SessionId{}) return free_inode(operation, inode);
  operation.rows.put(keys::orphan(operation.session, inode.attributes.inode), encode_row(operation.born()));
  return {};
}

}  // namespace cairn::ops
