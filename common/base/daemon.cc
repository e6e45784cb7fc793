#include "common/base/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "common/base/errno_error.h"
#include "common/base/forgetful_disk.h"
#include "common/base/log.h"

namespace cairn {
namespace {

// All of a small file's content, in one write.
Status write_text(int fd, const std::string& path, const std::string& text) {
  if (::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return file_error("write", path, errno);
  return {};
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory, const std::string& program) {
  TRY(real_disk().make_directories(directory));
  const std::string name = directory + "/lock";
  UniqueFd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!fd.valid()) return file_error("open", name, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_error("lock", name, errno);
    char pid[32] = {};
    const ssize_t length = ::pread(fd.get(), pid, sizeof pid - 1, 0);
    const std::string holder = length > 1 ? std::string(pid, static_cast<size_t>(length) - 1) : "unknown";
    return Error{Errc::busy,
                 fmt::format("{} is in use by another {} (process {}): stop that one, or use another --data", directory,
                             program, holder)};
  }
  if (::ftruncate(fd.get(), 0) != 0) return file_error("truncate", name, errno);
  TRY(write_text(fd.get(), name, fmt::format("{}\n", ::getpid())));
  return DirectoryLock(std::move(fd));
}

Result<DataDisk> DataDisk::open(const std::string& directory) {
  const char* asked = std::getenv("CAIRN_FORGETFUL_DISK");
  if (asked == nullptr) return DataDisk(nullptr);
  const std::string_view text(asked);
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error{Errc::invalid, fmt::format("CAIRN_FORGETFUL_DISK={} is no number", text)};
  }
  spdlog::warn(
      "CAIRN_FORGETFUL_DISK={}: what is written to {} and not synced is LOST when this process dies. For tests", seed,
      directory);
  ASSIGN(auto disk, ForgetfulDisk::open(real_disk(), {.shadow_directory = directory + "/unsynced", .seed = seed}));
  return DataDisk(std::move(disk));
}

int run_server(const std::string& program, const std::string& log_level, const std::function<Status()>& serve) {
  Status done = set_up_logging(program, log_level);
  if (done.ok()) done = serve();
  if (done.ok()) return 0;
  fmt::print(stderr, "{}: {}\n", program, done.error().what);
  return 1;
}

Status write_port_file(const std::string& path, std::span<const Address> addresses) {
  const std::string draft = path + ".new";
  const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return file_error("open", draft, errno);
  std::string text;
  for (const Address& address : addresses) text += address.text() + "\n";
  TRY(write_text(file.get(), draft, text));
  return real_disk().rename(draft, path);
}

sigset_t block_end_signals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return ends;
}

void wait_for_end(const sigset_t& ends) {
  int signal = 0;
  sigwait(&ends, &signal);
  spdlog::info("stopping ({})", signal == SIGINT ? "SIGINT" : "SIGTERM");
}

namespace {

constexpr uint64_t kOtherDescriptors = 64;  // standard streams, logs, listeners, /metrics
constexpr uint32_t kFewestConnections = 16;

uint64_t descriptors_for(const DescriptorPlan& plan, uint32_t connections) {
  return kOtherDescriptors + plan.servers * (plan.files_each + uint64_t{connections} * plan.for_each_connection);
}

}  // namespace

Result<uint32_t> connections_that_fit(const DescriptorPlan& plan, uint64_t descriptors) {
  const uint64_t least = descriptors_for(plan, kFewestConnections);
  if (descriptors < least) {
    return Error{Errc::invalid, fmt::format("the limit of open files is {}, and at least {} are needed: raise it with "
                                            "ulimit -n or LimitNOFILE=, or keep fewer files open",
                                            descriptors, least)};
  }
  const uint64_t left = descriptors - descriptors_for(plan, 0);
  return static_cast<uint32_t>(
      std::min<uint64_t>(plan.connections_wanted, left / (uint64_t{plan.servers} * plan.for_each_connection)));
}

Result<uint32_t> plan_descriptors(const DescriptorPlan& plan) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return file_error("ask for", "the limit of open files", errno);
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  ASSIGN(const uint32_t connections, connections_that_fit(plan, limit.rlim_cur));
  if (connections < plan.connections_wanted) {
    spdlog::warn(
        "the limit of open files, {}, is enough for {} of {} connections; for all it is {} (ulimit -n, "
        "LimitNOFILE=)",
        limit.rlim_cur, connections, plan.connections_wanted, descriptors_for(plan, plan.connections_wanted));
  }
  return connections;
}

}  // namespace cairn
