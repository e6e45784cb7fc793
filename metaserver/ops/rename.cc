// renameat2(2): moves a name, replaces what has the new one, or exchanges both.
#include "metaserver/ops/names.h"
#include "metaserver/ops/operations.h"

namespace cairn::ops {

namespace {

constexpr uint32_t kNoReplace = 1;
constexpr uint32_t kExchange = 2;

// Whether `inner` is `outer` or lies below it.
Result<bool> lies_in(Operation& operation, InodeId outer, InodeId inner) {
  for (InodeId at = inner; at != kRootInode;) {
    if (at == outer) return true;
    ASSIGN(InodeRow* const row, operation.find(at));
    if (row == nullptr || row->parent == at) {
      return Error{Errc::corrupt,
                   fmt::format("metadata: the way up from directory {} does not reach the root", raw(inner))};
    }
    at = row->parent;
  }
  return outer == kRootInode;
}

// A directory cannot move into itself.
Status check_not_into_itself(Operation& operation, const Named& moved, InodeId to) {
  if (!is_directory(*moved.inode)) return {};
  ASSIGN(const bool inside, lies_in(operation, moved.dentry.inode, to));
  if (inside) return Error{Errc::invalid, fmt::format("directory {} would move into itself", raw(moved.dentry.inode))};
  return {};
}

Status check_replacing(Operation& operation, const Rename& request, const InodeRow& source, const InodeRow& target) {
  if (is_directory(target)) {  // before the kinds are compared, as Linux does
    ASSIGN(const bool inside, lies_in(operation, target.attributes.inode, request.old_parent));
    if (inside) return Error{Errc::not_empty, fmt::format("'{}' lies in what it would replace", request.old_name)};
  }
  if (is_directory(source) && !is_directory(target))
    return Error{Errc::not_directory, "a directory cannot replace a file"};
  if (!is_directory(source) && is_directory(target))
    return Error{Errc::is_directory, "a file cannot replace a directory"};
  if (is_directory(target) && target.attributes.size != 0)
    return Error{Errc::not_empty, "the directory to replace is not empty"};
  return {};
}

// A directory's link to its parent goes along.
void change_parent(InodeRow& moved, InodeRow& from, InodeRow& to) {
  if (!is_directory(moved)) return;
  moved.parent = to.attributes.inode;
  --from.attributes.links;
  ++to.attributes.links;
}

struct Move {
  const Rename& request;
  InodeRow& old_parent;
  InodeRow& new_parent;  // may be the same object
  Named source;
};

Result<Answer> exchange(Operation& operation, const Move& move, const Named& target) {
  TRY(check_not_into_itself(operation, move.source, move.request.new_parent));
  TRY(check_not_into_itself(operation, target, move.request.old_parent));

  put_dentry(operation, move.request.old_parent, move.request.old_name, target.dentry.inode, move.source.dentry.cookie);
  put_dentry(operation, move.request.new_parent, move.request.new_name, move.source.dentry.inode, target.dentry.cookie);
  change_parent(*move.source.inode, move.old_parent, move.new_parent);
  change_parent(*target.inode, move.new_parent, move.old_parent);
  operation.touch_names(move.old_parent);
  operation.touch_names(move.new_parent);
  operation.touch_ctime(*move.source.inode);
  operation.touch_ctime(*target.inode);
  return Answer(Renamed{move.source.inode->attributes, {}, 0});
}

Result<Answer> replace(Operation& operation, const Move& move, const Named& target) {
  TRY(check_not_into_itself(operation, move.source, move.request.new_parent));
  TRY(check_replacing(operation, move.request, *move.source.inode, *target.inode));

  leave(operation, move.old_parent, move.request.old_name, move.source);
  // The name stays where it is in the listing, and names the other inode.
  put_dentry(operation, move.request.new_parent, move.request.new_name, move.source.dentry.inode, target.dentry.cookie);
  if (is_directory(*move.source.inode))
    move.source.inode->parent = move.request.new_parent;  // one directory for another: links stay
  operation.touch_names(move.new_parent);
  operation.touch_ctime(*move.source.inode);
  Renamed renamed{move.source.inode->attributes, target.dentry.inode, 0};
  if (!is_directory(*target.inode)) renamed.replaced_links_left = target.inode->attributes.links - 1;
  TRY(lose_name(operation, *target.inode));
  return Answer(renamed);
}

Result<Answer> move_name(Operation& operation, const Move& move) {
  leave(operation, move.old_parent, move.request.old_name, move.source);
  enter(operation, move.new_parent, move.request.new_name, *move.source.inode);
  if (is_directory(*move.source.inode)) move.source.inode->parent = move.request.new_parent;
  operation.touch_ctime(*move.source.inode);
  return Answer(Renamed{move.source.inode->attributes, {}, 0});
}

}  // namespace

Result<Answer> run(Operation& operation, const Rename& request) {
  if (request.flags != 0 && request.flags != kNoReplace && request.flags != kExchange) {
    return Error{Errc::invalid, fmt::format("rename flags {}", request.flags)};
  }
  TRY(check_name(request.old_name));
  TRY(check_name(request.new_name));
  ASSIGN(InodeRow* const old_parent, operation.directory(request.old_parent));
  ASSIGN(InodeRow* const new_parent, operation.directory(request.new_parent));
  ASSIGN(const Named source, resolve(operation, request.old_parent, request.old_name));
  ASSIGN(const std::optional<DentryRow> taken, find_dentry(operation, request.new_parent, request.new_name));
  const Move move{request, *old_parent, *new_parent, source};

  if (!taken) {
    if (request.flags == kExchange)
      return Error{Errc::not_found, fmt::format("there is no '{}' to exchange", request.new_name)};
    TRY(check_not_into_itself(operation, source, request.new_parent));
    return move_name(operation, move);
  }
  if (request.flags == kNoReplace) return Error{Errc::exists, fmt::format("'{}' already exists", request.new_name)};
  if (taken->inode == source.dentry.inode)
    return Answer(Renamed{source.inode->attributes, {}, 0});  // two names of one inode stay
  ASSIGN(const Named target, resolve(operation, request.new_parent, request.new_name));
  if (request.flags == kExchange) return exchange(operation, move, target);
  return replace(operation, move, target);
}

}  // namespace cairn::ops
