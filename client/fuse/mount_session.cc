#include "client/fuse/mount_session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <fstream>

#include "client/fuse/kernel_link.h"
#include "client/fuse/mount_table.h"
#include "client/sessions/lock_keeper.h"
#include "common/base/unique_fd.h"

namespace cairn {
namespace {

constexpr unsigned kIdleWorkers = 4;
constexpr int kWakeSignal = SIGUSR2;  // ends the loop's wait; its handler does nothing

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

void log_of_libfuse(fuse_log_level level, const char* format, va_list arguments) {
  char line[1024];
  std::vsnprintf(line, sizeof line, format, arguments);
  std::string_view text(line);
  while (text.ends_with('\n')) text.remove_suffix(1);
  spdlog::log(level <= FUSE_LOG_ERR ? spdlog::level::err : spdlog::level::info, "libfuse: {}", text);
}

void ignore(int) {}

std::string joined_options(const MountOptions& options) {
  std::string out =
      fmt::format("default_permissions,max_read={},subtype=cairn,fsname={}", kMaxRequestBytes, options.source);
  if (options.allow_other) out += ",allow_other";
  for (const std::string& option : options.kernel) out += "," + option;
  return out;
}

Status unmount_with_helper(const std::string& mountpoint);

}  // namespace

void block_stop_signals() {
  const sigset_t set = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

MountSession::MountSession(Filesystem& filesystem, MountOptions options)
    : options_(std::move(options)),
      filesystem_(filesystem),
      cache_(filesystem, real_clock()),
      directories_(options_.mountpoint),
      second_tries_(filesystem, real_clock()),
      front_{filesystem, cache_, directories_, second_tries_} {}

Result<std::unique_ptr<MountSession>> MountSession::mount(Filesystem& filesystem, MountOptions options) {
  fuse_set_log_func(log_of_libfuse);
  std::unique_ptr<MountSession> made(new MountSession(filesystem, std::move(options)));
  const std::string joined = joined_options(made->options_);
  const char* words[] = {"cairn", "-o", joined.c_str()};
  fuse_args arguments = FUSE_ARGS_INIT(3, const_cast<char**>(words));
  made->session_ = fuse_session_new(&arguments, &fuse_operations(), sizeof(fuse_lowlevel_ops), &made->front_);
  fuse_opt_free_args(&arguments);
  if (made->session_ == nullptr) {
    return {Errc::invalid, fmt::format("one of the mount options \"{}\" is not known; see them by: cairn mount --help",
                                       fmt::join(made->options_.kernel, ","))};
  }
  if (fuse_session_mount(made->session_, made->options_.mountpoint.c_str()) != 0) {
    const int number = errno;
    fuse_session_destroy(made->session_);
    made->session_ = nullptr;
    return {
        Errc::io,
        fmt::format(
            "cannot mount at {}: {}. Mounting needs root, or the package fuse3 (fusermount3) and a mount point that "
            "belongs to you; allow_other as a user needs \"user_allow_other\" in /etc/fuse.conf",
            made->options_.mountpoint, std::strerror(number))};
  }
  if (!complete_init(made->session_)) spdlog::warn("files that several mounts use cannot be mapped shared");
  return made;
}

MountSession::~MountSession() {
  directories_.begin_stop();
  cache_.stop();
  if (session_ == nullptr) return;
  fuse_session_unmount(session_);  // ends the connection, and with it what waits for an answer
  directories_.stop();
  fuse_session_destroy(session_);
}

Status MountSession::run(const std::function<void(const Status&)>& on_ready) {
  struct sigaction action {};
  action.sa_handler = ignore;  // without SA_RESTART
  ::sigaction(kWakeSignal, &action, nullptr);
  loop_thread_ = ::pthread_self();
  filesystem_.set_listener(&cache_);
  cache_.start(session_);
  std::thread watcher([this, &on_ready] { watch(on_ready); });

  fuse_loop_config* config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, std::max(options_.workers, 2u));  // one waits, one answers
  fuse_loop_cfg_set_idle_threads(config, kIdleWorkers);
  const int result = fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);

  loop_ended_.store(true);
  filesystem_.locks().fail_all({Errc::io, "the mount goes away"});  // while their requests can be answered
  watcher.join();
  filesystem_.set_listener(nullptr);
  cache_.stop();
  second_tries_.stop();
  if (result < 0) return Error{Errc::io, fmt::format("the connection to the kernel broke: {}", std::strerror(-result))};
  return {};
}

void MountSession::stop() { stop_asked_.store(true); }

// The mount answers, and the kernel reads far enough ahead for servers that work in parallel.
Status MountSession::check_and_tune() {
  struct stat root {};
  if (::stat(options_.mountpoint.c_str(), &root) != 0) {
    return Error{Errc::io, fmt::format("mounted, but a stat of {} fails: {}. The log says which server did not answer",
                                       options_.mountpoint, std::strerror(errno))};
  }
  ASSIGN(const std::vector<MountEntry> mounts, read_mounts());
  const std::optional<MountEntry> mine = mount_of(mounts, options_.mountpoint);
  if (!mine) return Error{Errc::io, fmt::format("mounted, but {} is not in the mount table", options_.mountpoint)};
  const std::string path = fmt::format("/sys/class/bdi/{}/read_ahead_kb", mine->device);
  std::ofstream setting(path);
  setting << options_.read_ahead_kib << std::flush;
  if (!setting)
    spdlog::info("{} cannot be written (not root?): sequential reads use the kernel's default read-ahead of 128 KiB",
                 path);
  return {};
}

void MountSession::watch(const std::function<void(const Status&)>& on_ready) {
  const Status ready = check_and_tune();
  on_ready(ready);
  if (!ready.ok()) stop();
  const sigset_t set = stop_signals();
  const timespec poll{0, 100'000'000};
  while (!loop_ended_.load() && !stop_asked_.load()) {
    if (const int number = ::sigtimedwait(&set, nullptr, &poll); number > 0) {
      spdlog::info("{}: unmounting {}", ::strsignal(number), options_.mountpoint);
      stop();
    }
  }
  if (!loop_ended_.load()) take_down();
}

// Takes the mount point away while the workers still answer, then ends the loop.
void MountSession::take_down() {
  const UniqueFd root(::open(options_.mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.valid() && ::syncfs(root.get()) != 0)
    spdlog::warn("writing back the pages of mappings: {}", std::strerror(errno));
  // Lazily: programs that still have files open keep them until the loop ends, and get an error from then on.
  if (::umount2(options_.mountpoint.c_str(), MNT_DETACH) != 0) {
    if (const Status helped = unmount_with_helper(options_.mountpoint); !helped.ok())
      spdlog::warn("{}", helped.error().what);
  }
  fuse_session_exit(session_);
  const timespec poll{0, 20'000'000};
  while (!loop_ended_.load()) {  // repeated: the loop may have been on its way into the wait
    ::pthread_kill(loop_thread_, kWakeSignal);
    ::nanosleep(&poll, nullptr);
  }
}

namespace {

// Without root only the set-user-id helper may unmount.
Status unmount_with_helper(const std::string& mountpoint) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("fusermount3", "fusermount3", "-u", "-z", "-q", mountpoint.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int state = 0;
  if (child < 0 || ::waitpid(child, &state, 0) < 0 || !WIFEXITED(state) || WEXITSTATUS(state) != 0) {
    return Error{Errc::io, fmt::format("fusermount3 -u {} failed", mountpoint)};
  }
  return {};
}

}  // namespace
}  // namespace cairn
