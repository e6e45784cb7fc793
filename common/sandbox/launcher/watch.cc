#include "common/sandbox/launcher/watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cairn::sandbox {
namespace {

constexpr int kMostDepth = 256;  // of children's children: more processes than a plan allows

// A small file as a string; empty if it is gone.
const char* read_small(const char* path) {
  static char text[8192];
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t length = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  text[length < 0 ? 0 : length] = '\0';
  return text;
}

// The number behind "\nName:", in KiB, as bytes. The line's beginning counts: the first line of a process's status is
// its name, which it chooses, and in which the kernel escapes a line end.
uint64_t field(const char* text, const char* name) {
  const char* found = std::strstr(text, name);
  return found == nullptr ? 0 : std::strtoull(found + std::strlen(name), nullptr, 10) * 1024;
}

uint64_t resident_of(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/status", pid);
  const char* status = read_small(path);
  return field(status, "\nRssAnon:") + field(status, "\nRssShmem:") + field(status, "\nVmSwap:");
}

uint64_t cpu_of(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const char* behind = std::strrchr(read_small(path), ')');  // the name may hold anything
  if (behind == nullptr) return 0;
  unsigned long long user = 0, system = 0;
  long long children_user = 0, children_system = 0;
  std::sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld", &user, &system,
              &children_user, &children_system);
  static const auto ticks = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  return (user + system + static_cast<uint64_t>(children_user + children_system)) * (1'000'000'000 / ticks);
}

// Calls visit(pid, threads) for the process and its descendants.
template <typename Visit>
void walk(pid_t pid, int depth, Visit& visit) {
  char path[96];
  std::snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* tasks = ::opendir(path);
  if (tasks == nullptr) return;
  uint32_t threads = 0;
  while (const dirent* entry = ::readdir(tasks)) {
    if (entry->d_name[0] == '.') continue;
    ++threads;
    if (depth == kMostDepth) continue;
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, std::atoi(entry->d_name));
    char children[8192];
    std::snprintf(children, sizeof children, "%s", read_small(path));
    char* next = children;
    for (long child; (child = std::strtol(next, &next, 10)) > 0;) walk(static_cast<pid_t>(child), depth + 1, visit);
  }
  ::closedir(tasks);
  visit(pid, threads);
}

}  // namespace

Usage usage_of(pid_t root) {
  Usage usage;
  const auto add = [&](pid_t pid, uint32_t threads) {
    usage.cpu_ns += cpu_of(pid);
    usage.tasks += threads;
    usage.memory_bytes += resident_of(pid);
  };
  walk(root, 0, add);
  if (usage.tasks > 0) --usage.tasks;
  return usage;
}

uint64_t exact_memory_of(pid_t root) {
  uint64_t sum = 0;
  const auto add = [&](pid_t pid, uint32_t) {
    if (pid == root) return;  // init: a few pages, and not to be looked at
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    const char* text = read_small(path);
    sum += *text == '\0' ? resident_of(pid)
                         : field(text, "\nPss_Anon:") + field(text, "\nPss_Shmem:") + field(text, "\nSwapPss:");
  };
  walk(root, 0, add);
  return sum;
}

uint64_t scratch_bytes_of(pid_t root) {
  uint64_t bytes = 0;
  const auto look = [&](pid_t pid, uint32_t) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/root/scratch", pid);
    struct statvfs found {};
    if (pid != root && bytes == 0 && ::statvfs(path, &found) == 0)
      bytes = (found.f_blocks - found.f_bfree) * found.f_frsize;
  };
  walk(root, 0, look);
  return bytes;
}

uint32_t tasks_of_user(uid_t uid) {
  uint32_t tasks = 0;
  DIR* processes = ::opendir("/proc");
  if (processes == nullptr) return 0;
  while (const dirent* entry = ::readdir(processes)) {
    char path[96];
    struct stat found {};
    const pid_t pid = std::atoi(entry->d_name);
    std::snprintf(path, sizeof path, "/proc/%d", pid);
    if (pid <= 0 || ::stat(path, &found) != 0 || found.st_uid != uid) continue;
    std::snprintf(path, sizeof path, "/proc/%d/status", pid);
    constexpr const char* kThreads = "\nThreads:";
    const char* threads = std::strstr(read_small(path), kThreads);
    if (threads != nullptr) tasks += static_cast<uint32_t>(std::atoi(threads + std::strlen(kThreads)));
  }
  ::closedir(processes);
  return tasks;
}

}  // namespace cairn::sandbox
