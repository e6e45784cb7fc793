// Extended attributes. Every inode also answers cairn.metaserver, cairn.pid and cairn.statistics, which tools ask, and
// takes part in `cairn cache`:
//
//   get cairn.cache                      figures of both tiers, as JSON
//   get cairn.cache.warm.OFFSET.LENGTH   fetches these bytes into the cache; needs to read, so it works on read-only
//   mounts set cairn.cache to "drop"            empties both tiers
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include "client/fuse/fuse_ops.h"
#include "client/fuse/fuse_reply.h"

namespace cairn::fuse_ops {
namespace {

constexpr std::string_view kCapability = "security.capability";

// POSIX ACLs are not kept: "not supported" is what cp and ls understand.
bool is_acl(std::string_view name) { return name.starts_with("system."); }
bool is_of_the_mount(std::string_view name) {
  return name == "cairn.metaserver" || name == "cairn.pid" || name == "cairn.statistics" || name == "cairn.cache";
}

std::string answer_of_the_mount(const Filesystem& filesystem, std::string_view name) {
  if (name == "cairn.metaserver") return filesystem.metaserver().text();
  if (name == "cairn.pid") return std::to_string(::getpid());
  if (name == "cairn.cache") return filesystem.cache_json();
  return filesystem.statistics_json();
}

constexpr std::string_view kWarm = "cairn.cache.warm.";

// The name of a warming, behind its prefix: OFFSET.LENGTH.
Status warm(Filesystem& filesystem, InodeId inode, std::string_view range) {
  uint64_t offset = 0, length = 0;
  const char* end = range.data() + range.size();
  const auto first = std::from_chars(range.data(), end, offset);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '.') {
    const auto second = std::from_chars(first.ptr + 1, end, length);
    if (second.ec == std::errc() && second.ptr == end) return filesystem.warm(inode, offset, length);
  }
  return {Errc::invalid, "cairn.cache.warm.OFFSET.LENGTH is expected"};
}

void reply_xattr_error(fuse_req_t request, const Error& error) {
  if (error.code == Errc::too_big) {
    fuse_reply_err(request, E2BIG);
  } else {
    reply_error(request, error);
  }
}

}  // namespace

void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, size_t size) {
  FuseFront& front = front_of(request);
  if (is_of_the_mount(name)) return reply_sized(request, answer_of_the_mount(front.filesystem, name), size);
  if (std::string_view(name).starts_with(kWarm)) {
    const Status warmed = warm(front.filesystem, InodeId{inode}, std::string_view(name).substr(kWarm.size()));
    return warmed.ok() ? reply_sized(request, "warm", size) : reply_error(request, warmed.error());
  }
  if (is_acl(name)) return reply_error(request, {Errc::not_supported, "POSIX ACLs"});
  const bool capability = name == kCapability;
  if (capability && front.cache.known_without_capability(InodeId{inode}))
    return reply_error(request, {Errc::no_attribute, {}});
  const Result<std::string> value = front.filesystem.get_xattr(InodeId{inode}, name);
  if (value.ok()) return reply_sized(request, *value, size);
  if (capability && value.code() == Errc::no_attribute) front.cache.remember_without_capability(InodeId{inode});
  reply_error(request, value.error());
}

void setxattr(fuse_req_t request, fuse_ino_t inode, const char* name, const char* value, size_t size, int flags) {
  FuseFront& front = front_of(request);
  if (is_acl(name)) return reply_error(request, {Errc::not_supported, "POSIX ACLs"});
  if (std::string_view(name) == "cairn.cache" && std::string_view(value, size) == "drop") {
    front.filesystem.drop_cache();
    return reply_status(request, {});
  }
  if (is_of_the_mount(name))
    return reply_error(request, {Errc::not_permitted, std::string(name) + " is answered by the mount"});
  const Status set =
      front.filesystem.set_xattr({InodeId{inode}, name, std::string(value, size), static_cast<uint32_t>(flags)});
  if (name == kCapability)
    front.cache.capability_changed(InodeId{inode});  // after it: what was looked up meanwhile goes too
  if (!set.ok()) return reply_xattr_error(request, set.error());
  reply_status(request, set);
}

void listxattr(fuse_req_t request, fuse_ino_t inode, size_t size) {
  const Result<std::vector<std::string>> names = front_of(request).filesystem.list_xattrs(InodeId{inode});
  if (!names.ok()) return reply_error(request, names.error());
  std::string list;
  for (const std::string& name : *names) list.append(name).push_back('\0');
  reply_sized(request, list, size);
}

void removexattr(fuse_req_t request, fuse_ino_t inode, const char* name) {
  if (is_acl(name)) return reply_error(request, {Errc::not_supported, "POSIX ACLs"});
  reply_status(request, front_of(request).filesystem.remove_xattr({InodeId{inode}, name}));
}

}  // namespace cairn::fuse_ops
