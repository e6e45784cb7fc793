// chmod, chown, utimens and truncate, as one change.
#include <sys/stat.h>

#include "metaserver/ops/content.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

Status check_request(const SetAttributes& request) {
  if (request.size && *request.size > kMaxFileBytes) {
    return Error{Errc::too_big, fmt::format("a file has at most {} bytes", kMaxFileBytes)};
  }
  for (const auto& time : {request.atime, request.mtime, request.ctime}) TRY(check_time(time.value_or(Time{})));
  return {};
}

// Who gives a file to another may not give away what its old owner's bits allow. As Linux: not for directories.
void change_owner(InodeRow& inode, const SetAttributes& request) {
  Attributes& attributes = inode.attributes;
  attributes.uid = request.uid.value_or(attributes.uid);
  attributes.gid = request.gid.value_or(attributes.gid);
  if (is_directory(inode)) return;
  attributes.mode &= ~uint32_t{S_ISUID};
  if ((attributes.mode & S_IXGRP) != 0) attributes.mode &= ~uint32_t{S_ISGID};
}

}  // namespace

Result<Answer> run(Operation& operation, const SetAttributes& request) {
  TRY(check_request(request));
  ASSIGN(InodeRow* const inode, operation.inode(request.inode));
  if (request.size) {
    ASSIGN(InodeRow* const file, operation.regular_file(request.inode));
    TRY(resize(operation, *file, *request.size));
    file->attributes.mtime = operation.now();
  }
  Attributes& attributes = inode->attributes;
  if (request.uid || request.gid) change_owner(*inode, request);
  if (request.mode) attributes.mode = (attributes.mode & S_IFMT) | (*request.mode & ~uint32_t{S_IFMT} & 07777);
  operation.touch_ctime(*inode);
  attributes.atime = request.atime.value_or(attributes.atime);
  attributes.mtime = request.mtime.value_or(attributes.mtime);
  attributes.ctime = request.ctime.value_or(attributes.ctime);
  return Answer(attributes);
}

}  // namespace cairn::ops
