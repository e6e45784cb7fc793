#include "tests/sim/cluster_run.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/sim/trouble.h"
#include "tests/sim/workloads.h"

namespace cairn {
namespace {

constexpr unsigned kLongestRealSeconds = 120;  // of one run: then it hangs

WorldOptions pick_world(uint64_t seed, int story_to) {
  Random random(mix64(seed));
  constexpr Code kPolicies[] = {{4, 2}, {4, 2}, {2, 1}, {3, 2}, {1, 2}};
  constexpr uint32_t kCells[] = {4u << 10, 16u << 10, 64u << 10, 256u << 10};
  WorldOptions options;
  options.seed = seed;
  options.story = story_to;
  options.policy = kPolicies[random.below(std::size(kPolicies))];
  options.cell_bytes = kCells[random.below(std::size(kCells))];
  return options;
}

WorkloadOptions pick_workload(Random& random) {
  constexpr Duration kFlushes[] = {5ms, 200ms, 1s, 5s};
  WorkloadOptions options;
  options.workers = static_cast<uint32_t>(random.between(1, 3));
  options.files = static_cast<uint32_t>(random.between(1, 5));
  options.file_bytes = random.one_in(3) ? 20'000 : 200'000;
  options.longest_pause = random.one_in(3) ? 5ms : 80ms;
  options.mount.flush_after = kFlushes[random.below(std::size(kFlushes))];
  options.mount.dirty_bytes = random.one_in(2) ? 1u << 20 : 16u << 20;
  options.mount.cache_bytes = random.one_in(2) ? 256u << 10 : 8u << 20;
  return options;
}

class ClusterRun {
 public:
  ClusterRun(uint64_t seed, int story_to) : world_(pick_world(seed, story_to)), random_(mix64(seed ^ 0xC0FFEE)) {
    state_.options = pick_workload(random_);
    world_.on_hang([this] { state_.tell(world_.story()); });
  }

  uint64_t run() {
    const WorldOptions& options = world_.options();
    world_.story().tell("seed {}: ec({},{}), cells of {} bytes, {} workers, flushes after {} ms", options.seed,
                        options.policy.d, options.policy.m, options.cell_bytes, state_.options.workers,
                        state_.options.mount.flush_after / 1ms);
    const Status end = world_.cluster().run([this] { body(); });
    if (!end.ok()) world_.story().wrong("the simulation: {}", end.error().what);
    return world_.cluster().scheduler().trace_hash();
  }

 private:
  void body() {
    world_.start_servers();
    world_.cluster().start(CairnWorld::kClient, [this](SimMachine& machine) { run_workload(world_, state_, machine); });
    world_.wait_until("the client works", 60s, [&] { return state_.formatted; });
    Trouble(world_, random_()).run(std::chrono::seconds(random_.between(5, 90)));
    end_client();
    world_.wait_until_all_up();
    in_a_fresh_mount("all is judged", run_verification);
    world_.wait_until("no shard is missing and no chunk open", 30s, [&] {
      const ClusterStatus now = world_.status();
      return now.missing_shards == 0 && now.unreadable_chunks == 0 && now.open_chunks == 0;
    });
    judge_without_m_servers();
    in_a_fresh_mount("all is deleted", run_deletion);
    nothing_is_left();
    world_.story().tell("good: {} calls, {} syncs, {} mounts, {} steps", state_.calls, state_.syncs, state_.mounts,
                        world_.cluster().scheduler().steps());
  }

  void end_client() {
    if (random_.one_in(3)) {
      world_.story().tell("the client is killed at the end");
      world_.cluster().kill(CairnWorld::kClient);
    } else {
      state_.finish = true;
      world_.wait_until("the client ends", 300s, [&] { return !world_.cluster().running(CairnWorld::kClient); });
    }
  }

  void in_a_fresh_mount(const char* what, void (*program)(CairnWorld&, WorkloadState&, SimMachine&)) {
    world_.story().tell("{}, by a fresh mount", what);
    const std::string process = fmt::format("other/{}", ++programs_);
    world_.cluster().start(process, [this, program](SimMachine& machine) { program(world_, state_, machine); });
    world_.wait_until(what, 300s, [&] { return !world_.cluster().running(process); });
  }

  void judge_without_m_servers() {
    std::vector<uint32_t> all(world_.options().chunkservers);
    for (uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    std::shuffle(all.begin(), all.end(), random_);
    all.resize(world_.options().policy.m);
    for (const uint32_t index : all) {
      world_.story().tell("{} loses power", CairnWorld::chunkserver(index));
      world_.cluster().power_cut(CairnWorld::chunkserver(index));
    }
    in_a_fresh_mount("all is judged without m servers", run_verification);
    for (const uint32_t index : all) world_.cluster().restart(CairnWorld::chunkserver(index));
    world_.wait_until_all_up();
  }

  void nothing_is_left() {
    world_.wait_until("no chunk is left", 120s, [&] {
      const ClusterStatus now = world_.status();
      return now.chunks == 0 && now.garbage_chunks == 0 && now.pending_punches == 0;
    });
    for (uint32_t i = 0; i < world_.options().chunkservers; ++i) {
      for (const std::string& file : world_.cluster().disk(CairnWorld::chunkserver(i)).files()) {
        if (file.find("/shards/") != std::string::npos)
          world_.story().wrong("{} still has {}", CairnWorld::chunkserver(i), file);
      }
    }
  }

  CairnWorld world_;
  Random random_;
  WorkloadState state_;
  int programs_ = 0;
};

}  // namespace

uint64_t run_seed_here(uint64_t seed, int story_to) {
  ClusterRun run(seed, story_to);
  return run.run();
}

RunOutcome run_seed(uint64_t seed, bool loud) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {.verdict = std::string("pipe: ") + std::strerror(errno)};
  const pid_t child = ::fork();
  if (child < 0) return {.verdict = std::string("fork: ") + std::strerror(errno)};
  if (child == 0) {
    ::close(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);  // what a dying process says is part of the story
    ::alarm(kLongestRealSeconds);
    spdlog::set_level(loud ? spdlog::level::debug : spdlog::level::off);
    const uint64_t hash = run_seed_here(seed, ends[1]);
    ::dprintf(ends[1], "trace %016llx\n", static_cast<unsigned long long>(hash));
    ::_exit(0);
  }
  ::close(ends[1]);
  RunOutcome outcome;
  char buffer[4096];
  for (ssize_t count; (count = ::read(ends[0], buffer, sizeof(buffer))) != 0;) {
    if (count < 0 && errno != EINTR) break;
    if (count < 0) continue;
    outcome.story.append(buffer, static_cast<size_t>(count));
    if (loud) (void)!::write(STDERR_FILENO, buffer, static_cast<size_t>(count));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const size_t wrong = outcome.story.rfind("WRONG: ");
  if (WIFSIGNALED(status)) {
    outcome.verdict =
        fmt::format("the process died of signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  } else if (wrong != std::string::npos) {
    outcome.verdict = outcome.story.substr(wrong, outcome.story.find('\n', wrong) - wrong);
  } else {
    outcome.verdict = fmt::format("exit code {}", WEXITSTATUS(status));
  }
  if (const size_t trace = outcome.story.rfind("trace "); outcome.good && trace != std::string::npos) {
    outcome.trace_hash = std::stoull(outcome.story.substr(trace + 6, 16), nullptr, 16);
  }
  return outcome;
}

}  // namespace cairn
