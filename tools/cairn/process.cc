#include "tools/cairn/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/unique_fd.h"

namespace cairn::tools {
namespace {

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

struct StatLine {
  char state = '?';
  uint64_t threads = 0;  // of which one is the first, although it may be a zombie
  uint64_t start_ticks = 0;
  // A killed process has its files and locks until its last thread is out of the kernel; the first may be a zombie
  // before.
  bool ended() const { return (state == 'Z' || state == 'X') && threads <= 1; }
};
// "42 (a name) S 1 ..." : the name may hold anything, so what counts begins behind the last ")".
Result<StatLine> read_stat(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return {Errc::not_found, fmt::format("process {} is gone", pid)};
  const size_t behind = line.rfind(')');
  if (behind == std::string::npos) return {Errc::invalid, fmt::format("/proc/{}/stat is not understood", pid)};
  std::istringstream words(line.substr(behind + 1));
  StatLine out;
  words >> out.state;
  std::string skipped;
  for (int field = 4; field < 20; ++field) words >> skipped;
  words >> out.threads >> skipped >> out.start_ticks;
  if (!words) return {Errc::invalid, fmt::format("/proc/{}/stat is not understood", pid)};
  return out;
}

std::vector<char*> as_argv(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// A descriptor that refers to this very process, or an invalid one if it is gone.
UniqueFd open_checked(const ProcessId& process) {
  if (process.pid <= 0) return UniqueFd();
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!fd.valid() || !running(process)) return UniqueFd();
  return fd;
}

}  // namespace

Result<ProcessId> identify(pid_t pid) {
  ASSIGN(const StatLine line, read_stat(pid));
  return ProcessId{pid, line.start_ticks, boot_id()};
}

bool running(const ProcessId& process) {
  if (process.pid <= 0) return false;
  const Result<StatLine> line = read_stat(process.pid);
  return line.ok() && line->start_ticks == process.start_ticks && !line->ended() && boot_id() == process.boot;
}

Result<ProcessId> start_detached(const std::vector<std::string>& words, const std::string& log) {
  const UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!output.valid()) return {Errc::io, fmt::format("cannot write the log {}: {}", log, std::strerror(errno))};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {Errc::io, fmt::format("pipe: {}", std::strerror(errno))};
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  std::vector<char*> argv = as_argv(words);
  const pid_t child = ::fork();
  if (child < 0) return {Errc::io, fmt::format("fork: {}", std::strerror(errno))};
  if (child == 0) {
    ::setsid();
    (void)!::chdir("/");  // it holds no directory, perhaps of a mount, that someone wants to unmount
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(output.get(), STDOUT_FILENO);
    ::dup2(output.get(), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    const int number = errno;
    (void)!::write(to_parent.get(), &number, sizeof number);
    ::_exit(127);
  }
  to_parent = UniqueFd();
  int number = 0;
  if (::read(from_child.get(), &number, sizeof number) == static_cast<ssize_t>(sizeof number)) {
    ::waitpid(child, nullptr, 0);
    return {Errc::io, fmt::format("cannot run {}: {}", words[0], std::strerror(number))};
  }
  return identify(child);
}

Result<int> run_and_wait(const std::vector<std::string>& words) {
  std::vector<char*> argv = as_argv(words);
  const pid_t child = ::fork();
  if (child < 0) return {Errc::io, fmt::format("fork: {}", std::strerror(errno))};
  if (child == 0) {
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int state = 0;
  while (::waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) return {Errc::io, fmt::format("waiting for {}: {}", words[0], std::strerror(errno))};
  }
  if (!WIFEXITED(state)) return {Errc::io, fmt::format("{} was ended by signal {}", words[0], WTERMSIG(state))};
  if (WEXITSTATUS(state) == 127) return {Errc::not_found, fmt::format("{} cannot be run; is it installed?", words[0])};
  return WEXITSTATUS(state);
}

Status send_signal(const ProcessId& process, int number) {
  const UniqueFd fd = open_checked(process);
  if (!fd.valid()) return {};
  if (::syscall(SYS_pidfd_send_signal, fd.get(), number, nullptr, 0) == 0 || errno == ESRCH) return {};
  return Error{Errc::not_permitted, fmt::format("cannot signal process {}: {}", process.pid, std::strerror(errno))};
}

Status wait_until_gone(const ProcessId& process, Duration at_most) {
  const UniqueFd fd = open_checked(process);
  if (!fd.valid()) return {};
  const Instant deadline = real_clock().now() + at_most;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - real_clock().now()).count();
    pollfd wait{fd.get(), POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return Error{Errc::io, fmt::format("poll: {}", std::strerror(errno))};
    if (ready == 0) return Error{Errc::timed_out, fmt::format("process {} has not ended", process.pid)};
  }
}

Result<bool> terminate(const ProcessId& process, Duration grace) {
  TRY(send_signal(process, SIGTERM));
  const Status gone = wait_until_gone(process, grace);
  if (gone.ok()) return false;
  if (gone.code() != Errc::timed_out) return gone.error();
  TRY(send_signal(process, SIGKILL));
  TRY(wait_until_gone(process, grace));
  return true;
}

std::string tail_of(const std::string& path, size_t lines) {
  std::ifstream file(path);
  std::deque<std::string> last;
  for (std::string line; std::getline(file, line);) {
    last.push_back("    " + line);
    if (last.size() > lines) last.pop_front();
  }
  std::string out;
  for (const std::string& line : last) out += "\n" + line;
  return out;
}

Result<std::string> sibling_program(const std::string& name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {Errc::io, "/proc/self/exe cannot be read; is /proc mounted?"};
  std::filesystem::path path = self.parent_path() / name;
  if (::access(path.c_str(), X_OK) != 0) {
    return {Errc::not_found,
            fmt::format("{} is not there; build it by: cmake --preset release && cmake --build --preset release",
                        path.string())};
  }
  return path.string();
}

}  // namespace cairn::tools
