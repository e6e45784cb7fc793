// mkdir, mknod, symlink, and the file of open(O_CREAT): a new inode with a name.
#include <sys/stat.h>

#include "metaserver/ops/names.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

constexpr uint32_t kPermissions = 07777;
constexpr size_t kMaxTargetBytes = 4095;  // PATH_MAX without its NUL
constexpr uint64_t kFirstCookie = 3;      // 0 starts a listing, 1 and 2 are for "." and ".."

Status check_kind(const MakeNode& request) {
  if ((request.mode & ~(S_IFMT | kPermissions)) != 0)
    return Error{Errc::invalid, fmt::format("mode {:o}", request.mode)};
  switch (request.mode & S_IFMT) {
    case S_IFLNK:
      if (request.target.empty()) return Error{Errc::not_found, "a symlink to the empty path"};
      if (request.target.size() > kMaxTargetBytes)
        return Error{Errc::name_too_long, "the symlink's target has more than 4095 bytes"};
      if (request.target.find('\0') != std::string::npos) return Error{Errc::invalid, "the symlink's target has a NUL"};
      return {};
    case 0:  // as mknod(2): a regular file
    case S_IFREG:
    case S_IFDIR:
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK:
      if (!request.target.empty()) return Error{Errc::invalid, "only a symlink has a target"};
      return {};
    default:
      return Error{Errc::invalid, fmt::format("mode {:o} has no known type", request.mode)};
  }
}

InodeRow new_inode(const Operation& operation, const InodeRow& parent, const MakeNode& request, InodeId id) {
  InodeRow row;
  row.birth = operation.index;
  row.fileset = parent.fileset;
  row.map = MapId{raw(id)};
  Attributes& attributes = row.attributes;
  attributes.inode = id;
  attributes.mode = (request.mode & S_IFMT) == 0 ? request.mode | S_IFREG : request.mode;
  attributes.links = 1;
  attributes.uid = request.uid;
  attributes.gid = request.gid;
  attributes.atime = attributes.mtime = attributes.ctime = operation.now();
  attributes.storage_class = parent.attributes.storage_class;
  attributes.generation = 1;
  if ((parent.attributes.mode & S_ISGID) !=
      0) {  // the directory's group is inherited, by directories with the bit itself
    attributes.gid = parent.attributes.gid;
    if (is_directory(row)) attributes.mode |= S_ISGID;
  }
  if (is_directory(row)) {
    attributes.links = 2;
    row.parent = parent.attributes.inode;
    row.next_cookie = kFirstCookie;
  } else if (is_symlink(row)) {
    attributes.mode = S_IFLNK | 0777;
    attributes.size = request.target.size();
    row.content_bytes = static_cast<uint32_t>(request.target.size());
  } else if (S_ISCHR(attributes.mode) || S_ISBLK(attributes.mode)) {
    attributes.rdev = request.rdev;
  }
  return row;
}

}  // namespace

Result<Answer> run(Operation& operation, const MakeNode& request) {
  TRY(check_name(request.name));
  TRY(check_kind(request));
  ASSIGN(InodeRow* const parent, operation.directory(request.parent));
  ASSIGN(const std::optional<DentryRow> taken, find_dentry(operation, request.parent, request.name));
  if (taken)
    return Error{Errc::exists, fmt::format("directory {} already has '{}'", raw(request.parent), request.name)};

  ASSIGN(const InodeId id, operation.next_inode());
  InodeRow& inode = operation.create(new_inode(operation, *parent, request, id));
  operation.touch(inode);
  if (is_symlink(inode)) operation.rows.put(keys::content(id), request.target);
  const uint64_t cookie = enter(operation, *parent, request.name, inode);
  ASSIGN(queries::Counters* const counters, operation.counters());
  ++counters->inodes;
  return Answer(Entry{request.parent, request.name, inode.attributes, cookie});
}

}  // namespace cairn::ops
