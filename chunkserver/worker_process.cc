#include "chunkserver/worker_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/config.h"
#include "common/base/errno_error.h"

extern char** environ;

namespace cairn {
namespace {

constexpr Duration kReadyLook = 500ms;  // stop() waits at most so long for one that is not ready

// Waits for the first of the descriptors, or the time; -1 is for ever.
bool wait_for(std::initializer_list<int> descriptors, int timeout_ms) {
  std::vector<pollfd> waited;
  for (const int descriptor : descriptors) waited.push_back({descriptor, POLLIN, 0});
  int ready = 0;
  do {
    ready = ::poll(waited.data(), waited.size(), timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

int milliseconds(Duration duration) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

std::string how_it_ended(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return fmt::format("exit code {}", info.si_status);
  return fmt::format("signal {}, {}", info.si_status, ::strsignal(info.si_status));
}

}  // namespace

Duration RestartPlan::on_end(Duration ran) {
  if (ran >= kWellAfter) pause_ = kFirstPause;
  const Duration pause = pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
  return pause;
}

Status WorkerProcess::start() {
  stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!stop_.valid()) return file_error("eventfd for", options_.words.front(), errno);
  thread_ = Thread("worker-watch", [this] { run(); });
  return {};
}

void WorkerProcess::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  const uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void WorkerProcess::run() {
  while (!stopping() && !options_.ready(clock_.now() + kReadyLook)) {
  }
  while (!stopping()) {
    const Instant started = clock_.now();
    const Result<UniqueFd> process = spawn();
    if (process.ok()) {
      watch(*process);
      reap(*process, clock_.now() - started);
    } else {
      spdlog::error("worker: {}", process.error().what);
    }
    if (stopping()) return;
    const Duration wait = plan_.on_end(clock_.now() - started);
    spdlog::info("worker: it is started again in {}", format_duration(wait));
    pause(wait);
  }
}

// The signals that this process blocks, for threads of its own to take, are open again in the worker.
Result<UniqueFd> WorkerProcess::spawn() {
  std::vector<char*> words;
  for (const std::string& word : options_.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int failure = ::posix_spawn(&pid, words[0], nullptr, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (failure != 0) return file_error("run", options_.words.front(), failure);
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) {
    const Error error = file_error("watch", options_.words.front(), errno);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  pid_ = pid;
  spdlog::info("worker: process {} runs", pid);
  return process;
}

void WorkerProcess::watch(const UniqueFd& process) {
  wait_for({process.get(), stop_.get()}, -1);
  if (wait_for({process.get()}, 0)) return;
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0);
  if (wait_for({process.get()}, milliseconds(options_.grace))) return;
  spdlog::warn("worker: process {} does not end and is killed", pid());
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

void WorkerProcess::reap(const UniqueFd& process, Duration ran) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED) < 0 && errno == EINTR) {
  }
  const pid_t pid = pid_.exchange(0);
  if (stopping()) {
    spdlog::info("worker: process {} has ended", pid);
  } else {
    spdlog::warn("worker: process {} ended by itself after {} ms: {}", pid, milliseconds(ran), how_it_ended(info));
  }
}

void WorkerProcess::pause(Duration duration) { wait_for({stop_.get()}, milliseconds(duration)); }

}  // namespace cairn
