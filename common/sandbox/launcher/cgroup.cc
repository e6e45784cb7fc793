#include "common/sandbox/launcher/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cairn::sandbox {
namespace {

constexpr const char* kPrefix = "run-";

// Of supervisors that were killed: empty ones whose process has gone.
void sweep(const char* parent) {
  DIR* folder = ::opendir(parent);
  if (folder == nullptr) return;
  while (const dirent* entry = ::readdir(folder)) {
    if (std::strncmp(entry->d_name, kPrefix, std::strlen(kPrefix)) != 0) continue;
    const pid_t owner = std::atoi(entry->d_name + std::strlen(kPrefix));
    if (owner > 0 && ::kill(owner, 0) < 0 && errno == ESRCH)
      ::unlinkat(::dirfd(folder), entry->d_name, AT_REMOVEDIR);  // refused by the kernel while somebody is in it
  }
  ::closedir(folder);
}

}  // namespace

const char* Cgroup::make(const PlanView& plan) {
  sweep(plan.cgroup());
  const int length = std::snprintf(path_, sizeof path_, "%s/%s%d", plan.cgroup(), kPrefix, ::getpid());
  if (length < 0 || static_cast<size_t>(length) >= sizeof path_) {
    errno = ENAMETOOLONG;
    return "cgroup";
  }
  if (::mkdir(path_, 0755) < 0 && errno != EEXIST) return "make a cgroup";
  fd_ = ::open(path_, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0) return "open the cgroup";
  if (!set("memory.max", plan.plan().memory_bytes + plan.plan().scratch_bytes)) return "set memory.max";
  (void)set("memory.swap.max", 0);   // absent where there is no swap
  (void)set("memory.oom.group", 1);  // absent before Linux 4.19
  if (!set("pids.max", plan.plan().processes + uint64_t{1})) return "set pids.max";
  return nullptr;
}

bool Cgroup::set(const char* file, uint64_t value) const {
  const int target = ::openat(fd_, file, O_WRONLY | O_CLOEXEC);
  if (target < 0) return false;
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%llu", static_cast<unsigned long long>(value));
  const bool written = ::write(target, text, static_cast<size_t>(length)) == length;
  ::close(target);
  return written;
}

uint64_t Cgroup::number_in(const char* file, const char* key) const {
  const int source = ::openat(fd_, file, O_RDONLY | O_CLOEXEC);
  if (source < 0) return 0;
  char text[4096];
  const ssize_t length = ::read(source, text, sizeof text - 1);
  ::close(source);
  text[length < 0 ? 0 : length] = '\0';
  const char* found = std::strstr(text, key);
  return found == nullptr ? 0 : std::strtoull(found + std::strlen(key), nullptr, 10);
}

uint64_t Cgroup::cpu_ns() const { return number_in("cpu.stat", "usage_usec ") * 1000; }
uint64_t Cgroup::memory_bytes() const { return number_in("memory.current", ""); }
bool Cgroup::memory_ran_out() const { return number_in("memory.events", "oom_kill ") > 0; }
bool Cgroup::processes_ran_out() const { return number_in("pids.events", "max ") > 0; }

void Cgroup::remove() {
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  ::rmdir(path_);
}

}  // namespace cairn::sandbox
