#include "common/sandbox/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "common/base/errno_error.h"
#include "common/sandbox/refusal.h"
#include "common/sandbox/run.h"
#include "common/sandbox/seccomp_filter.h"
#include "common/sandbox/spec.h"

namespace cairn::sandbox {
namespace {

constexpr int kFirstFreeFd =
    10;  // above those that the launcher expects, so that none is overwritten before it is used
constexpr size_t kMostReadonlyPaths = 40;

// Two ends that are closed in whatever is executed.
struct Ends {
  UniqueFd ours, theirs;
};
Result<Ends> make_ends(int a, int b) {
  const UniqueFd first(a), second(b);
  Ends ends{UniqueFd(::fcntl(a, F_DUPFD_CLOEXEC, kFirstFreeFd)), UniqueFd(::fcntl(b, F_DUPFD_CLOEXEC, kFirstFreeFd))};
  if (!ends.ours.valid() || !ends.theirs.valid()) return file_error("dup", "sandbox", errno);
  return ends;
}
// Ours does not block. we_write: or read.
Result<Ends> make_pipe(bool we_write) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return file_error("pipe", "sandbox", errno);
  ASSIGN(Ends ends, make_ends(fds[we_write ? 1 : 0], fds[we_write ? 0 : 1]));
  if (::fcntl(ends.ours.get(), F_SETFL, (we_write ? O_WRONLY : O_RDONLY) | O_NONBLOCK) != 0)
    return file_error("fcntl", "sandbox", errno);
  return ends;
}
Result<Ends> make_control() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
    return file_error("socketpair", "sandbox", errno);
  return make_ends(fds[0], fds[1]);
}

// Starts the launcher with descriptors[i] as its i. glibc's posix_spawn is a vfork: this process's pages are not
// copied, however large it is, and no code of ours runs between.
Result<pid_t> spawn(const std::string& launcher, const std::array<int, 5>& descriptors) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  for (size_t i = 0; i < descriptors.size(); ++i)
    ::posix_spawn_file_actions_adddup2(&actions, descriptors[i], static_cast<int>(i));
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  // A session of its own: a terminal's Ctrl-C is for the caller, which then ends or cancels.
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::string name = "cairn-sandbox";
  char* const argv[] = {name.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, launcher.c_str(), &actions, &attributes, argv, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return file_error("start", launcher, error);
  return pid;
}

Result<std::string> find_launcher() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {Errc::io, "/proc/self/exe cannot be read; is /proc mounted?"};
  return (self.parent_path() / "cairn-sandbox").string();
}

bool is_setuid_root(const std::string& program) {
  struct stat found {};
  return ::stat(program.c_str(), &found) == 0 && found.st_uid == 0 && (found.st_mode & S_ISUID) != 0;
}

Status check_options(SandboxOptions& options) {
  if (options.launcher.empty()) {
    ASSIGN(options.launcher, find_launcher());
  }
  if (::access(options.launcher.c_str(), X_OK) != 0)
    return {Errc::not_found, fmt::format("{}: {}; it belongs beside the program that starts it", options.launcher,
                                         "cannot be executed")};
  if (options.readonly_paths.size() > kMostReadonlyPaths)
    return {Errc::invalid, fmt::format("the sandbox takes at most {} read-only paths", kMostReadonlyPaths)};
  for (std::string& path : options.readonly_paths) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    if (error || real != path || path == "/")
      return {Errc::invalid,
              fmt::format("\"{}\": a read-only path is that of a directory, from / and without links", path)};
    for (const char* taken : {"/dev/", "/job/", "/proc/", "/scratch/", "/tmp/"}) {
      if ((path + "/").starts_with(taken))
        return {Errc::invalid, fmt::format("\"{}\": the sandbox has a {} of its own", path, taken)};
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Run>> Sandbox::start(const SandboxSpec& spec, OutputSink output) const {
  TRY(check_spec(spec));
  return launch(spec, std::move(output), false);
}

Result<std::unique_ptr<Run>> Sandbox::launch(const SandboxSpec& spec, OutputSink output, bool probe) const {
  ASSIGN(const UniqueFd plan, write_plan(spec, {layers_, bubblewrap_, probe, options_, filter_}));
  const UniqueFd plan_there(::fcntl(plan.get(), F_DUPFD_CLOEXEC, kFirstFreeFd));
  if (!plan_there.valid()) return file_error("dup", "plan", errno);
  ASSIGN(Ends input, make_pipe(true));
  ASSIGN(Ends out, make_pipe(false));
  ASSIGN(Ends errors, make_pipe(false));
  ASSIGN(Ends control, make_control());
  auto pipes = std::make_unique<Run::Pipes>();
  pipes->began = real_clock().now();
  ASSIGN(pipes->supervisor, spawn(options_.launcher, {input.theirs.get(), out.theirs.get(), errors.theirs.get(),
                                                      control.theirs.get(), plan_there.get()}));
  pipes->input = std::move(input.ours);
  pipes->output = std::move(out.ours);
  pipes->errors = std::move(errors.ours);
  pipes->control = std::move(control.ours);
  pipes->sink = std::move(output);
  pipes->limits = spec.limits;
  return std::unique_ptr<Run>(new Run(std::move(pipes)));
}

// Fills abilities_, or says what failed. The program is empty, all else is as for a real one.
Status Sandbox::try_ways() {
  SandboxSpec spec;
  spec.argv = {"probe"};
  const auto attempt = [&](Abilities::Way way) -> Result<Verdict> {
    abilities_.way = way;
    bubblewrap_ = way == Abilities::Way::bubblewrap;
    layers_ = kLayerAll & ~(way == Abilities::Way::own_without_user_namespace ? kLayerUser : 0u);
    ASSIGN(const std::unique_ptr<Run> run, launch(
                                               spec, [](std::string_view) { return Status(); }, true));
    return run->end();
  };
  ASSIGN(Verdict verdict, attempt(Abilities::Way::own));
  const Verdict first = verdict;
  if (verdict.error != 0 && forbids_user_namespaces(verdict.step, verdict.error)) {
    if (::geteuid() == 0) {
      ASSIGN(verdict, attempt(Abilities::Way::own_without_user_namespace));
    } else if (is_setuid_root(options_.bubblewrap)) {
      ASSIGN(verdict, attempt(Abilities::Way::bubblewrap));
    }
  }
  if (verdict.error != 0 || verdict.status != 0) {
    abilities_ = Abilities();
    abilities_.refusal = explain_refusal(first.step, first.error, read_sysctl);
    if (verdict.error != first.error || std::string_view(verdict.step) != first.step)
      abilities_.refusal += fmt::format("; and {}", explain_refusal(verdict.step, verdict.error, read_sysctl));
    return {Errc::not_supported, abilities_.refusal};
  }
  abilities_.landlock_abi = static_cast<int>(verdict.landlock_abi);
  abilities_.proc = verdict.proc != 0;
  abilities_.cgroup = options_.cgroup;
  return {};
}

Result<std::unique_ptr<Sandbox>> Sandbox::open(SandboxOptions options) {
  std::unique_ptr<Sandbox> sandbox(new Sandbox());
  TRY(check_options(options));
  sandbox->options_ = std::move(options);
  ASSIGN(sandbox->filter_, seccomp_filter());
  TRY(sandbox->try_ways());
  return sandbox;
}

}  // namespace cairn::sandbox
