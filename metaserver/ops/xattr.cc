// setxattr(2) and removexattr(2).
#include "metaserver/ops/xattr.h"

#include "common/meta/policy.h"
#include "metaserver/ops/operations.h"
#include "metaserver/ops/storage_policy.h"

namespace cairn::ops {

namespace {

constexpr uint32_t kCreate = 1;   // XATTR_CREATE
constexpr uint32_t kReplace = 2;  // XATTR_REPLACE

Error no_attribute(InodeId inode, std::string_view name) {
  return {Errc::no_attribute, fmt::format("inode {} has no attribute '{}'", raw(inode), name)};
}

}  // namespace

Status check_xattr_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxXattrNameBytes || name.find('\0') != name.npos) {
    return Error{Errc::too_big, "an attribute's name has 1 to 255 bytes and no NUL"};
  }
  if (name.starts_with("cairn.")) return Error{Errc::not_permitted, fmt::format("'{}' cannot be changed", name)};
  for (const std::string_view space : {"user.", "trusted.", "security."}) {
    if (name.starts_with(space) && name.size() > space.size()) return {};
  }
  return Error{Errc::not_supported, fmt::format("attribute '{}': only user, trusted and security are kept", name)};
}

Result<Answer> run(Operation& operation, const SetXattr& request) {
  if ((request.flags & ~(kCreate | kReplace)) != 0)
    return Error{Errc::invalid, fmt::format("setxattr flags {}", request.flags)};
  if (request.name == kPolicyXattr) {
    if ((request.flags & kCreate) != 0) return Error{Errc::exists, "every inode has a cairn.policy"};
    TRY(set_policy(operation, request.inode, request.value));
    return Answer();
  }
  TRY(check_xattr_name(request.name));
  if (request.value.size() > kMaxXattrBytes) {
    return Error{Errc::too_big,
                 fmt::format("an attribute of {} bytes; {} are allowed", request.value.size(), kMaxXattrBytes)};
  }
  ASSIGN(InodeRow* const inode, operation.inode(request.inode));
  const std::string key = keys::xattr(request.inode, request.name);
  ASSIGN(const std::optional<std::string> before, operation.rows.get(key));
  if (before && (request.flags & kCreate) != 0)
    return Error{Errc::exists, fmt::format("attribute '{}' is there", request.name)};
  if (!before && (request.flags & kReplace) != 0) return no_attribute(request.inode, request.name);
  const size_t names = inode->xattr_names + (before ? 0 : request.name.size() + 1);
  const size_t bytes = inode->xattr_bytes - (before ? before->size() : 0) + request.value.size();
  if (names > kMaxXattrListBytes || bytes > kMaxXattrTotalBytes) {
    return Error{Errc::no_space, fmt::format("inode {} has no room for more attributes", raw(request.inode))};
  }

  inode->xattr_names = static_cast<uint32_t>(names);
  inode->xattr_bytes = static_cast<uint32_t>(bytes);
  operation.rows.put(key, request.value);
  operation.touch_ctime(*inode);
  return Answer();
}

Result<Answer> run(Operation& operation, const RemoveXattr& request) {
  TRY(check_xattr_name(request.name));
  ASSIGN(InodeRow* const inode, operation.inode(request.inode));
  const std::string key = keys::xattr(request.inode, request.name);
  ASSIGN(const std::optional<std::string> before, operation.rows.get(key));
  if (!before) return no_attribute(request.inode, request.name);

  inode->xattr_names -= static_cast<uint32_t>(request.name.size() + 1);
  inode->xattr_bytes -= static_cast<uint32_t>(before->size());
  operation.rows.erase(key);
  operation.touch_ctime(*inode);
  return Answer();
}

}  // namespace cairn::ops
