// The kernel's list of mounts (/proc/self/mountinfo), and which of them are ours. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace cairn {

inline constexpr std::string_view kFilesystemType = "fuse.cairn";

struct MountEntry {
  std::string device;      // "0:57", as under /sys/class/bdi
  std::string mountpoint;  // absolute, without symlinks
  std::string type;        // "fuse.cairn"
  std::string source;      // "HOST:PORT" of the metaserver
};

// In the order of mounting: of two mounts at one place the later one is seen.
Result<std::vector<MountEntry>> read_mounts();
// Decodes the text of a mountinfo file; lines that are not understood are left out.
std::vector<MountEntry> parse_mountinfo(std::string_view text);

// The CairnFS mount that path lies in. Without touching the filesystem below, which may be dead: path must be absolute
// and normal.
std::optional<MountEntry> mount_of(const std::vector<MountEntry>& mounts, std::string_view path);

}  // namespace cairn
