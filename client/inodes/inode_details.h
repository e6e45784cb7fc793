// What is known of one inode that few are asked for: extended attributes by name, the list of their names, a symlink's
// target. Kept for as long as the inode's lease. No thread rules of its own.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct InodeDetails {
  std::map<std::string, std::optional<std::string>> xattrs;  // nothing: there is none of that name
  std::optional<std::vector<std::string>> xattr_names;       // of all
  std::string target;                                        // empty: not known

  // Nothing: not known. Otherwise the value, or that there is none.
  std::optional<std::optional<std::string>> xattr(const std::string& name) const;

  bool empty() const { return xattrs.empty() && !xattr_names && target.empty(); }
  size_t bytes() const;  // about, and rather too many
};

}  // namespace cairn
