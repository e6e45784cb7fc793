#include "tools/cairn/unmount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "client/fuse/mount_table.h"
#include "common/base/unique_fd.h"
#include "tools/cairn/process.h"

namespace cairn::tools {
namespace {

namespace fs = std::filesystem;

constexpr Duration kDaemonGrace = 120s;  // after a flush there is little left to do; a dead server costs its timeout
constexpr Duration kForcedGrace = 5s;    // then it is killed
constexpr size_t kMaxHoldersNamed = 5;

bool below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

// What of this process lies below the directory: "its working directory", a file's path, or nothing.
std::string held_by(const fs::path& process, const std::string& directory) {
  std::error_code error;
  for (const char* link : {"cwd", "root", "exe"}) {
    const fs::path target = fs::read_symlink(process / link, error);
    if (!error && below(target.string(), directory))
      return std::string(link) == "cwd" ? "its working directory" : target.string();
  }
  for (fs::directory_iterator file(process / "fd", error), end; !error && file != end; file.increment(error)) {
    std::error_code gone;
    const fs::path target = fs::read_symlink(file->path(), gone);
    if (!gone && below(target.string(), directory)) return target.string();
  }
  return {};
}

// "vim (pid 42: /mnt/cairn/a.txt), bash (pid 43: its working directory)". Other users' processes are seen by root
// alone.
std::string holders(const std::string& mountpoint) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string pid = entry->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string what = held_by(entry->path(), mountpoint);
    if (what.empty()) continue;
    std::ifstream file(entry->path() / "comm");
    std::string name;
    std::getline(file, name);
    found.push_back(fmt::format("{} (pid {}: {})", name, pid, what));
    if (found.size() == kMaxHoldersNamed) break;
  }
  return found.empty() ? "a process that this user cannot see, or a mapped file"
                       : fmt::format("{}", fmt::join(found, ", "));
}

Status unmount_once(const std::string& mountpoint, bool lazily) {
  if (::umount2(mountpoint.c_str(), lazily ? MNT_DETACH : 0) == 0) return {};
  if (errno == EBUSY) {
    return Error{Errc::busy, fmt::format("{} is in use by {}; end these or leave the directory, then try again",
                                         mountpoint, holders(mountpoint))};
  }
  if (errno != EPERM) return Error{Errc::io, fmt::format("umount of {}: {}", mountpoint, std::strerror(errno))};
  std::vector<std::string> words = {"fusermount3", "-u", "-q"};
  if (lazily) words.push_back("-z");
  words.push_back(mountpoint);
  ASSIGN(const int code, run_and_wait(words));
  if (code == 0) return {};
  return Error{Errc::busy,
               fmt::format("fusermount3 could not unmount {}: it is in use by {}, or was mounted by another user",
                           mountpoint, holders(mountpoint))};
}

// The daemon of a mount that cannot be asked: by its command line, "cairn mount HOST:PORT MOUNTPOINT".
ProcessId find_daemon(const std::string& mountpoint) {
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string pid = entry->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry->path() / "cmdline");
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
    if (words.size() < 4 || fs::path(words[0]).filename() != "cairn" || words[1] != "mount") continue;
    if (std::find(words.begin() + 2, words.end(), mountpoint) == words.end()) continue;
    if (const Result<ProcessId> found = identify(std::atoi(pid.c_str())); found.ok()) return *found;
  }
  return {};
}

// Takes the mount away although its data cannot be stored, and ends the daemon.
Status give_up(const std::string& mountpoint, const Error& why, std::string& note) {
  note = fmt::format("giving up what is not stored: {}", why.what);
  const ProcessId daemon = find_daemon(mountpoint);
  TRY(unmount_once(mountpoint, true));
  const Result<bool> ended = terminate(daemon, kForcedGrace);
  return ended.ok() ? Status() : Status(ended.error());
}

}  // namespace

Result<int> daemon_pid(const std::string& mountpoint) {
  char text[32] = {};
  if (::getxattr(mountpoint.c_str(), "cairn.pid", text, sizeof text - 1) >= 0) return std::atoi(text);
  const int number = errno;
  const Errc code = number == ENOTCONN || number == ECONNABORTED ? Errc::unavailable : Errc::io;
  return {code, fmt::format("the mount {} does not answer: {}", mountpoint, std::strerror(number))};
}

Status flush_mount(const std::string& mountpoint) {
  const UniqueFd root(::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return Error{Errc::io, fmt::format("cannot open {}: {}", mountpoint, std::strerror(errno))};
  // First the dirty pages of mappings, which only the kernel has; then what the daemon buffers.
  if (::syncfs(root.get()) != 0 || ::fsync(root.get()) != 0) {
    return Error{
        Errc::io,
        fmt::format(
            "not everything under {} could be stored: {}. The mount keeps it and tries again; its log says which "
            "server failed",
            mountpoint, std::strerror(errno))};
  }
  return {};
}

Status unmount(const std::string& mountpoint, Flushing flushing, std::string& note) {
  ASSIGN(const std::vector<MountEntry> mounts, read_mounts());
  const std::optional<MountEntry> mount = mount_of(mounts, mountpoint);
  if (!mount || mount->mountpoint != mountpoint) {
    return Error{
        Errc::not_found,
        fmt::format("no CairnFS is mounted at {}; see the mounts by: grep fuse.cairn /proc/mounts", mountpoint)};
  }
  const Result<int> pid = daemon_pid(mountpoint);
  if (!pid.ok() && pid.code() == Errc::unavailable) {
    note = fmt::format("the mount's daemon had died: what was not fsynced is lost; {} is clean again", mountpoint);
    return unmount_once(mountpoint, true);
  }
  const Status flushed = pid.ok() ? flush_mount(mountpoint) : Status(pid.error());
  if (!flushed.ok()) {
    if (flushing == Flushing::attempted) return give_up(mountpoint, flushed.error(), note);
    return Error{
        flushed.code(),
        fmt::format(
            "{}. Start the servers again and try once more, or give up what is not stored: cairn umount --force {}",
            flushed.error().what, mountpoint)};
  }
  const Result<ProcessId> daemon = identify(*pid);  // of another pid namespace: then there is nothing to wait for
  TRY(unmount_once(mountpoint, false));
  if (!daemon.ok()) return {};
  if (const Status gone = wait_until_gone(*daemon, kDaemonGrace); !gone.ok()) {
    return Error{
        gone.code(),
        fmt::format("{} is unmounted, but its daemon (pid {}) is still storing data; its log says what it waits for",
                    mountpoint, *pid)};
  }
  return {};
}

}  // namespace cairn::tools
