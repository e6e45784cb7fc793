// A regular file without a name: an orphan from the beginning, pinned to the session that asked.
#include <sys/stat.h>

#include "metaserver/ops/operations.h"
#include "metaserver/ops/storage_policy.h"

namespace cairn::ops {

Result<Answer> run(Operation& operation, const MakeAnonymous& request) {
  if (operation.session == SessionId{}) return Error{Errc::no_session, "a file without a name needs a session"};
  ASSIGN(const InodeRow* const like, operation.inode(request.like));
  if (!is_directory(*like) && !is_regular(*like))
    return Error{Errc::invalid, fmt::format("inode {} has no storage class", raw(request.like))};
  InodeRow row;
  row.birth = operation.index;
  row.fileset = like->fileset;
  Attributes& attributes = row.attributes;
  attributes.mode = S_IFREG | 0600;
  attributes.atime = attributes.mtime = attributes.ctime = operation.now();
  attributes.storage_class = like->attributes.storage_class;
  attributes.generation = 1;
  if (!request.policy.empty()) {
    ASSIGN(attributes.storage_class, class_of_policy(operation, request.policy));
  }
  ASSIGN(attributes.inode, operation.next_inode());
  row.map = MapId{raw(attributes.inode)};
  InodeRow& inode = operation.create(std::move(row));
  operation.touch(inode);
  operation.rows.put(keys::orphan(operation.session, inode.attributes.inode), encode_row(operation.born()));
  ASSIGN(queries::Counters* const counters, operation.counters());
  ++counters->inodes;
  return Answer(inode.attributes);
}

}  // namespace cairn::ops
