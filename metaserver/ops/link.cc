// link(2): another name for an inode that is not a directory.
#include "metaserver/ops/names.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

Result<Answer> run(Operation& operation, const LinkNode& request) {
  TRY(check_name(request.name));
  ASSIGN(InodeRow* const parent, operation.directory(request.parent));
  ASSIGN(InodeRow* const inode, operation.inode(request.inode));
  ASSIGN(const std::optional<DentryRow> taken, find_dentry(operation, request.parent, request.name));
  if (taken)
    return Error{Errc::exists, fmt::format("directory {} already has '{}'", raw(request.parent), request.name)};
  if (is_directory(*inode)) return Error{Errc::not_permitted, "a directory has exactly one name"};
  if (inode->attributes.links == 0)
    return Error{Errc::not_found, fmt::format("the last name of inode {} is gone", raw(request.inode))};
  if (inode->attributes.links >= kMaxLinks) {
    return Error{Errc::too_many_links,
                 fmt::format("inode {} has {} names", raw(request.inode), inode->attributes.links)};
  }

  ++inode->attributes.links;
  operation.touch_ctime(*inode);
  const uint64_t cookie = enter(operation, *parent, request.name, *inode);
  return Answer(Entry{request.parent, request.name, inode->attributes, cookie});
}

}  // namespace cairn::ops
