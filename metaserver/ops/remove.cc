// unlink(2) and rmdir(2): a name goes, and with the last one the inode becomes an orphan.
#include "metaserver/ops/names.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

Result<Answer> run(Operation& operation, const RemoveName& request) {
  TRY(check_name(request.name));
  ASSIGN(InodeRow* const parent, operation.directory(request.parent));
  ASSIGN(const Named named, resolve(operation, request.parent, request.name));
  InodeRow& inode = *named.inode;
  if (request.directory) {
    if (!is_directory(inode)) return Error{Errc::not_directory, fmt::format("'{}' is not a directory", request.name)};
    if (inode.attributes.size != 0) {
      return Error{Errc::not_empty, fmt::format("directory '{}' has {} entries", request.name, inode.attributes.size)};
    }
  } else if (is_directory(inode)) {
    return Error{Errc::is_directory, fmt::format("'{}' is a directory", request.name)};
  }

  leave(operation, *parent, request.name, named);
  const Removed removed{named.dentry.inode, is_directory(inode) ? 0 : inode.attributes.links - 1, request.directory};
  TRY(lose_name(operation, inode));
  return Answer(removed);
}

}  // namespace cairn::ops
