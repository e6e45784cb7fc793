#include "client/inodes/inode_details.h"

#include <algorithm>

namespace cairn {

namespace {
constexpr size_t kStringBytes = 16;  // that the allocator adds, and the NUL
constexpr size_t kNodeBytes =
    48 + sizeof(decltype(InodeDetails::xattrs)::value_type);  // of the map, with what the allocator adds
}  // namespace

std::optional<std::optional<std::string>> InodeDetails::xattr(const std::string& name) const {
  if (const auto known = xattrs.find(name); known != xattrs.end()) return known->second;
  if (xattr_names && std::ranges::find(*xattr_names, name) == xattr_names->end()) return std::optional<std::string>{};
  return std::nullopt;
}

size_t InodeDetails::bytes() const {
  size_t bytes = target.size() + kStringBytes;
  for (const auto& [name, value] : xattrs)
    bytes += kNodeBytes + name.size() + (value ? value->size() : 0) + 2 * kStringBytes;
  if (!xattr_names) return bytes;
  for (const std::string& name : *xattr_names) bytes += sizeof(std::string) + name.size() + kStringBytes;
  return bytes;
}

}  // namespace cairn
