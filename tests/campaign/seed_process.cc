#include "tests/campaign/seed_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "tests/campaign/cluster_run.h"

namespace cairn {
namespace {

// Of one run: then it spins. A run takes a few; on a machine with other work they may last many times longer, which
// says nothing about the run.
constexpr rlim_t kMostCpuSeconds = 60;
constexpr unsigned kMostRealSeconds = 1800;  // of one run that waits for ever, and so uses none
constexpr const char* kTrace = "trace ";     // begins the last line of a good run, behind the story

[[noreturn]] void run_child(uint64_t seed, RunOptions options, int output) {
  ::dup2(output, STDERR_FILENO);                           // what a dying process says is part of the story
  const rlimit cpu{kMostCpuSeconds, kMostCpuSeconds + 5};  // SIGXCPU, and SIGKILL for who survives it
  ::setrlimit(RLIMIT_CPU, &cpu);
  ::alarm(kMostRealSeconds);
  spdlog::set_level(options.loud ? spdlog::level::debug : spdlog::level::off);
#ifdef CAIRN_PLANTED_BUGS
  plant(options.bug);
#endif
  std::string last = fmt::format("{}{:x}", kTrace, run_seed_here(seed, output));
  for (const uint64_t count : rare_path_counts()) last += fmt::format(" {}", count);
  ::dprintf(output, "%s\n", last.c_str());
  ::_exit(0);
}

const char* what_killed(int signal) {
  if (signal == SIGXCPU) return "it spins: too much CPU time";
  if (signal == SIGALRM) return "it hangs";
  return ::strsignal(signal);
}

}  // namespace

Result<SeedProcess> SeedProcess::start(uint64_t seed, RunOptions options) {
  if (options.bug != PlantedBug::none && !kBugsCanBePlanted) {
    return Error{Errc::not_supported, "no bug can be planted in this build: it is without CAIRN_PLANTED_BUGS"};
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error{Errc::io, std::string("pipe: ") + std::strerror(errno)};
  UniqueFd ours(ends[0]), theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return Error{Errc::io, std::string("fork: ") + std::strerror(errno)};
  if (child == 0) run_child(seed, options, theirs.get());
  return SeedProcess(seed, child, std::move(ours), options.loud);
}

SeedProcess::SeedProcess(SeedProcess&& other) noexcept
    : seed_(other.seed_),
      child_(std::exchange(other.child_, 0)),
      output_(std::move(other.output_)),
      loud_(other.loud_),
      story_(std::move(other.story_)) {}

SeedProcess& SeedProcess::operator=(SeedProcess&& other) noexcept {
  std::swap(seed_, other.seed_);
  std::swap(child_, other.child_);
  std::swap(output_, other.output_);
  std::swap(loud_, other.loud_);
  std::swap(story_, other.story_);
  return *this;
}

SeedProcess::~SeedProcess() {
  if (child_ == 0) return;
  ::kill(child_, SIGKILL);
  (void)wait_for_end();
}

int SeedProcess::wait_for_end() {
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = 0;
  return status;
}

bool SeedProcess::take_output() {
  char buffer[16384];
  const ssize_t count = ::read(output_.get(), buffer, sizeof(buffer));
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  story_.append(buffer, static_cast<size_t>(count));
  if (loud_) (void)!::write(STDERR_FILENO, buffer, static_cast<size_t>(count));
  return true;
}

RunOutcome SeedProcess::outcome() {
  const int status = wait_for_end();
  RunOutcome outcome;
  outcome.seed = seed_;
  outcome.good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const size_t trace = story_.rfind(kTrace);
  if (outcome.good && trace != std::string::npos) {
    std::istringstream line(story_.substr(trace + std::strlen(kTrace)));
    line >> std::hex >> outcome.trace_hash >> std::dec;
    for (uint64_t& count : outcome.rare_paths) line >> count;
    story_.resize(trace);
  } else if (const size_t wrong = story_.rfind("WRONG: "); WIFEXITED(status) && wrong != std::string::npos) {
    outcome.verdict = story_.substr(wrong, story_.find('\n', wrong) - wrong);
  } else if (WIFSIGNALED(status)) {
    outcome.verdict =
        fmt::format("the process died of signal {} ({})", WTERMSIG(status), what_killed(WTERMSIG(status)));
  } else {
    outcome.verdict = fmt::format("exit code {}", WEXITSTATUS(status));
  }
  outcome.story = std::move(story_);
  return outcome;
}

RunOutcome run_seed(uint64_t seed, RunOptions options) {
  Result<SeedProcess> run = SeedProcess::start(seed, options);
  if (!run.ok()) return {.seed = seed, .verdict = run.error().what};
  while (run->take_output()) {
  }
  return run->outcome();
}

}  // namespace cairn
