// cairn mount: checks what can be checked beforehand, goes into the background when the mount works, and ends when it
// is unmounted.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "client/cache/disk_cache.h"
#include "client/filesystem.h"
#include "client/fuse/mount_session.h"
#include "common/base/config.h"
#include "common/base/log.h"
#include "common/base/unique_fd.h"
#include "common/probes/kill_point.h"
#include "tools/cairn/command_line.h"
#include "tools/cairn/locate.h"
#include "tools/cairn/unmount.h"

namespace cairn::tools {
namespace {

constexpr int kPatienceMs = 2000;  // then the user is told what is waited for

struct Arguments {
  std::string metaserver;
  std::string mountpoint;
  std::vector<std::string> options;
  bool foreground = false;
  std::string log;
  std::string log_level = "info";
};

struct Plan {
  FilesystemOptions filesystem;
  MountOptions mount;
};

Result<uint64_t> number_of(const std::string& key, const std::string& value, uint64_t least, uint64_t most) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least || number > most) {
    return {Errc::invalid, fmt::format("-o {}={}: a number from {} to {} is expected", key, value, least, most)};
  }
  return number;
}

// Our own options are taken out; the rest is for the kernel and libfuse.
Status apply_option(const std::string& option, Plan& plan) {
  const size_t equals = option.find('=');
  const std::string key = option.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (key == "workers") {
    ASSIGN(const uint64_t workers, number_of(key, value, 2, 1024));
    plan.mount.workers = static_cast<uint32_t>(workers);
  } else if (key == "read_ahead") {
    ASSIGN(const uint64_t bytes, parse_size(value));
    plan.mount.read_ahead_kib = static_cast<uint32_t>(std::min<uint64_t>(bytes, 64u << 20) / 1024);
  } else if (key == "dirty") {
    ASSIGN(plan.filesystem.dirty_bytes, parse_size(value));
  } else if (key == "cache") {
    ASSIGN(plan.filesystem.cache_bytes, parse_size(value));
  } else if (key == "cache_dir") {
    if (value.empty()) return Error{Errc::invalid, "-o cache_dir=DIR: a directory is expected"};
    plan.filesystem.cache_directory = absolute_path(value);
  } else if (key == "cache_disk") {
    ASSIGN(plan.filesystem.cache_disk_bytes, parse_size(value));
    if (plan.filesystem.cache_disk_bytes < DiskCache::kLeastBytes)
      return Error{Errc::invalid, fmt::format("-o cache_disk={}: at least {} is expected", value,
                                              format_size(DiskCache::kLeastBytes))};
  } else if (key == "cache_keep_free") {
    ASSIGN(plan.filesystem.cache_keep_free_bytes, parse_size(value));
  } else if (key == "flush_after") {
    ASSIGN(plan.filesystem.flush_after, parse_duration(value));
  } else if (key == "io_timeout") {
    ASSIGN(plan.filesystem.io_timeout, parse_duration(value));
  } else if (key == "allow_other") {
    plan.mount.allow_other = true;
  } else if (key == "noallow_other") {
    plan.mount.allow_other = false;
  } else if (key == "default_permissions" || key == "rw" || key == "defaults" || key == "_netdev" || key == "user" ||
             key == "nofail" || key == "auto" || key == "noauto" || key.starts_with("x-")) {
    // always so, or words of fstab that are not for us
  } else if (!key.empty()) {
    plan.mount.kernel.push_back(option);
  }
  return {};
}

Status check_mountpoint(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    if (errno == ENOTCONN) {
      return Error{Errc::unavailable,
                   fmt::format("{} is a mount whose daemon has died; clean it by: cairn umount {}", path, path)};
    }
    return Error{Errc::not_found, fmt::format("the mount point {} cannot be used: {}; make it by: mkdir -p {}", path,
                                              std::strerror(errno), path)};
  }
  if (!S_ISDIR(found.st_mode))
    return Error{Errc::not_directory, fmt::format("the mount point {} is not a directory", path)};
  ASSIGN(const std::vector<MountEntry> mounts, read_mounts());
  if (const auto mount = mount_of(mounts, path); mount && mount->mountpoint == path) {
    return Error{Errc::exists, fmt::format("{} is mounted there already ({}); unmount it by: cairn umount {}",
                                           mount->source, path, path)};
  }
  return {};
}

Status check_fuse_device() {
  const UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (device.valid()) return {};
  const std::string mend =
      errno == ENOENT
          ? "load the module (modprobe fuse), or give the container the device: docker run --device /dev/fuse "
            "--cap-add SYS_ADMIN"
          : "this user may not open it; try as root";
  return Error{Errc::unavailable, fmt::format("/dev/fuse: {}; {}", std::strerror(errno), mend)};
}

Result<Plan> plan_of(const Arguments& arguments) {
  Plan plan;
  ASSIGN(plan.filesystem.metaserver, parse_address(arguments.metaserver));
  plan.mount.mountpoint = absolute_path(arguments.mountpoint);
  plan.mount.source = plan.filesystem.metaserver.text();
  plan.mount.allow_other = ::geteuid() == 0;
  plan.filesystem.name = "mount " + plan.mount.mountpoint;
  for (const std::string& list : arguments.options) {
    for (size_t from = 0; from <= list.size();) {
      const size_t comma = std::min(list.find(',', from), list.size());
      TRY(apply_option(list.substr(from, comma - from), plan));
      from = comma + 1;
    }
  }
  TRY(check_fuse_device());
  TRY(check_mountpoint(plan.mount.mountpoint));
  TRY(check_metaserver(plan.filesystem.metaserver));
  return plan;
}

Status log_to(const Arguments& arguments) {
  TRY(set_up_logging("cairn-mount", arguments.log_level));
  if (arguments.log.empty() && arguments.foreground) return {};  // to standard error
  try {
    const auto level = spdlog::get_level();
    spdlog::sink_ptr sink;
    if (arguments.log.empty()) {
      sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("cairn-mount", LOG_PID, LOG_DAEMON, false);
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(arguments.log);
      sink->set_pattern(fmt::format("%Y-%m-%dT%H:%M:%S.%e cairn-mount[{}] %l: %v", ::getpid()));
    }
    auto logger = std::make_shared<spdlog::logger>("", std::move(sink));
    logger->set_level(level);
    spdlog::set_default_logger(std::move(logger));
    spdlog::flush_on(spdlog::level::info);
  } catch (const spdlog::spdlog_ex& error) {
    return Error{Errc::io, fmt::format("the log {} cannot be written: {}", arguments.log, error.what())};
  }
  return {};
}

void prepare_process() {
  block_stop_signals();
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
#ifdef PR_SET_IO_FLUSHER
  // The kernel frees memory by writing pages through us: our own allocations must not wait for that. Root only; a hint.
  ::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
#endif
}

// Serves the mount until its end. `ready` is told once whether it works, with a note for the user if there is something
// to note.
int serve(const Arguments& arguments, const std::function<void(const Status&, const std::string& note)>& ready) {
  prepare_process();
  Result<Plan> plan = plan_of(arguments);
  if (!plan.ok()) {
    ready(plan.error(), {});
    return kFailed;
  }
  if (const Status logging = log_to(arguments); !logging.ok()) {
    ready(logging, {});
    return kFailed;
  }
  if (const Status armed = arm_kill_point_from_environment(); !armed.ok()) {
    ready(armed, {});
    return kFailed;
  }
  Result<std::unique_ptr<Filesystem>> filesystem = Filesystem::mount(real_network(), real_clock(), plan->filesystem);
  if (!filesystem.ok()) {
    ready(filesystem.error(), {});
    return kFailed;
  }
  Result<std::unique_ptr<MountSession>> session = MountSession::mount(**filesystem, plan->mount);
  if (!session.ok()) {
    ready(session.error(), {});
    if (const Status closed = (*filesystem)->close(); !closed.ok()) spdlog::warn("{}", closed.error().what);
    return kFailed;
  }
  bool works = false;  // read after run() only
  const std::string trouble = (*filesystem)->cache_trouble();
  const std::string note = trouble.empty() ? "" : "mounted, but without a disk cache: " + trouble;
  const Status ran = (*session)->run([&](const Status& status) {
    works = status.ok();
    if (works) spdlog::info("mounted {} at {}", plan->mount.source, plan->mount.mountpoint);
    ready(status, note);
  });
  if (!ran.ok()) spdlog::error("{}", ran.error().what);
  session->reset();  // the mount point is free; then what is buffered is stored
  const Status closed = (*filesystem)->close();
  if (!closed.ok()) {
    spdlog::error("unmounted {}, but not everything could be stored, and what is missing is lost: {}",
                  plan->mount.mountpoint, closed.error().what);
    return kDataLost;
  }
  spdlog::info("unmounted {}; everything is stored", plan->mount.mountpoint);
  return works && ran.ok() ? kOk : kFailed;
}

int serve_in_foreground(const Arguments& arguments) {
  return serve(arguments, [&](const Status& status, const std::string& note) {
    if (!status.ok()) {
      fail("mount", status.error());
    } else {
      if (!note.empty()) say("cairn mount: " + note);
      say(fmt::format("mounted {} at {}; end it by Ctrl-C or: cairn umount {}", arguments.metaserver,
                      arguments.mountpoint, arguments.mountpoint));
    }
  });
}

// The child tells by the pipe: "+" and perhaps a note (it works), or a sentence.
int serve_in_background(const Arguments& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail("mount", {Errc::io, fmt::format("pipe: {}", std::strerror(errno))});
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail("mount", {Errc::io, fmt::format("fork: {}", std::strerror(errno))});
  if (child == 0) {
    from_child = UniqueFd();
    const int code = serve(arguments, [&to_parent](const Status& status, const std::string& note) {
      if (status.ok()) {
        ::setsid();
        (void)!::chdir("/");
        const int null = ::open("/dev/null", O_RDWR);
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
        ::close(null);
      }
      const std::string message = status.ok() ? "+" + note : status.error().what;
      (void)!::write(to_parent.get(), message.data(), message.size());
      to_parent = UniqueFd();
    });
    spdlog::shutdown();
    ::_exit(code);
  }
  to_parent = UniqueFd();
  pollfd wait{from_child.get(), POLLIN, 0};
  if (::poll(&wait, 1, kPatienceMs) == 0) {
    say("cairn mount: waiting to be let in: another mount of this cluster gives up its caches first, or one has died "
        "and its session (20 s) runs out");
  }
  std::string message;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(from_child.get(), buffer, sizeof buffer)) > 0;)
    message.append(buffer, static_cast<size_t>(got));
  if (message.starts_with('+')) {
    if (message.size() > 1) say("cairn mount: " + message.substr(1));
    return kOk;
  }
  ::waitpid(child, nullptr, 0);
  if (message.empty()) message = "the daemon ended without a word; its log (--log FILE, else syslog) may say more";
  return fail("mount", {Errc::io, message});
}

}  // namespace

void add_mount(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("mount", "Mounts a cluster as a directory");
  command->footer(
      "Options of -o, comma-separated:\n"
      "  ro, noexec, noatime, dev, suid    as in mount(8)\n"
      "  allow_other, noallow_other        whether other users may use it (root's mounts: yes)\n"
      "  workers=64                        threads that answer the kernel\n"
      "  dirty=96M, flush_after=5s         how much may be buffered, and how long\n"
      "  cache=64M, read_ahead=4M          memory for clean data; the kernel's read-ahead\n"
      "  cache_dir=DIR                     a second tier of the cache on a local disk, kept over restarts;\n"
      "                                    a directory for this mount alone, see: cairn cache --help\n"
      "  cache_disk=10G                    how much it may take there\n"
      "  cache_keep_free=1G                how much of that disk stays free for others\n"
      "  io_timeout=30s                    how long a server that does not answer is waited for\n"
      "Examples:\n"
      "  cairn mount 10.0.0.1:7000 /mnt/cairn\n"
      "  cairn mount localhost:7000 ./data -f -o ro\n"
      "  cairn mount 10.0.0.1:7000 /mnt/cairn -o cache_dir=/var/cache/cairn,cache_disk=200G\n"
      "Take it away by: cairn umount MOUNTPOINT");
  command->add_option("METASERVER", arguments->metaserver, "HOST:PORT of the metaserver")->required();
  command->add_option("MOUNTPOINT", arguments->mountpoint, "An existing directory")->required();
  command->add_option("-o,--options", arguments->options, "Options, see below")->allow_extra_args(false);
  command->add_flag("-f,--foreground", arguments->foreground, "Stay in the foreground, log to standard error");
  command->add_option("--log", arguments->log, "Log file (otherwise syslog, or standard error with -f)");
  command->add_option("--log-level", arguments->log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  command->callback([arguments, &exit_code] {
    if (!arguments->log.empty()) arguments->log = absolute_path(arguments->log);
    exit_code = arguments->foreground ? serve_in_foreground(*arguments) : serve_in_background(*arguments);
  });
}

}  // namespace cairn::tools
