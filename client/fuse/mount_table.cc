#include "client/fuse/mount_table.h"

#include <fstream>
#include <sstream>

namespace cairn {
namespace {

// Blanks, tabs, newlines and backslashes of a path are written as \ and three octal digits.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
std::optional<MountEntry> parse_line(const std::string& line) {
  std::istringstream words(line);
  std::string id, parent, device, root, mountpoint, word;
  if (!(words >> id >> parent >> device >> root >> mountpoint)) return std::nullopt;
  while (words >> word && word != "-") {
  }
  std::string type, source;
  if (!(words >> type >> source)) return std::nullopt;
  return MountEntry{device, unescaped(mountpoint), type, unescaped(source)};
}

bool lies_in(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> mounts;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (auto entry = parse_line(line)) mounts.push_back(std::move(*entry));
  }
  return mounts;
}

Result<std::vector<MountEntry>> read_mounts() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return {Errc::io, "/proc/self/mountinfo cannot be read; is /proc mounted?"};
  return parse_mountinfo(text.str());
}

std::optional<MountEntry> mount_of(const std::vector<MountEntry>& mounts, std::string_view path) {
  const MountEntry* best = nullptr;  // the longest mount point, and of equal ones the latest
  for (const MountEntry& mount : mounts) {
    if (!lies_in(path, mount.mountpoint)) continue;
    if (best == nullptr || mount.mountpoint.size() >= best->mountpoint.size()) best = &mount;
  }
  if (best == nullptr || best->type != kFilesystemType) return std::nullopt;
  return *best;
}

}  // namespace cairn
