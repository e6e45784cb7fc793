#include "tests/campaign/cluster_run.h"

#include <algorithm>

#include "tests/campaign/run_plan.h"
#include "tests/campaign/trouble.h"

namespace cairn {
namespace {

class ClusterRun {
 public:
  ClusterRun(RunPlan plan, int story_to)
      : plan_(plan), world_(plan.world, story_to), random_(mix64(plan.world.seed ^ 0xC0FFEE)) {
    for (uint32_t i = 0; i < plan.world.clients; ++i) {
      states_.push_back({.client = CairnWorld::client(i), .index = i, .options = plan.work});
    }
    jobs_.options = plan.jobs;
    world_.on_hang([this] {
      jobs_.tell(world_.story());
      for (const WorkloadState& state : states_) state.tell(world_.story());
    });
  }

  uint64_t run() {
    const WorldOptions& options = world_.options();
    world_.story().tell("seed {}: {}, ec({},{}), cells of {} bytes, {} clients of {} workers, flushes after {} ms",
                        options.seed, options.harsh ? "harsh" : "gentle", options.policy.d, options.policy.m,
                        options.cell_bytes, options.clients, plan_.work.workers, plan_.work.mount.flush_after / 1ms);
    if (options.workers)
      world_.story().tell("with near-data jobs: {} submitters of {} files, {} slots, results of {} bytes are spooled",
                          jobs_.options.submitters, jobs_.options.files, options.task_slots, options.inline_partial);
    const Status end = world_.cluster().run([this] { body(); });
    if (!end.ok()) world_.story().wrong("the simulation: {}", end.error().what);
    return world_.cluster().scheduler().trace_hash();
  }

 private:
  void body() {
    world_.start_servers();
    for (WorkloadState& state : states_) {
      world_.cluster().start(state.client,
                             [this, &state](SimMachine& machine) { run_workload(world_, state, machine); });
    }
    if (jobs_.options.on) world_.start_jobs([this](SimMachine& machine) { run_jobs(world_, jobs_, machine); });
    world_.wait_until("the clients work", 120s, [&] {
      return jobs_.formatted == jobs_.options.on &&
             std::ranges::all_of(states_, [](const WorkloadState& state) { return state.formatted; });
    });
    {
      Trouble trouble(world_, random_(), {.machines_stop = plan_.machines_stop, .repair = plan_.repair});
      trouble.run(plan_.trouble);
      rotten_ = trouble.rotten();
      for (uint32_t i = 0; i < plan_.world.chunkservers; ++i) suffered_.push_back(trouble.suffered(i));
    }
    world_.wait_until_all_up();
    for (WorkloadState& state : states_) end_client(state);
    if (jobs_.options.on) end_program(CairnWorld::kJobs, jobs_.finish);
    world_.begin_verdict();
    in_a_fresh_mount("all is judged", run_verification);
    jobs_in_a_fresh_mount("all jobs are judged", run_jobs_verification);
    world_.wait_until("no shard is missing and no chunk open", plan_.repair ? 300s : 30s, [&] {
      const ClusterStatus now = world_.status();
      return now.missing_shards == 0 && now.unreadable_chunks == 0 && now.open_chunks == 0;
    });
    judge_without_m_servers();
    in_a_fresh_mount("all is deleted", run_deletion);
    jobs_in_a_fresh_mount("all of jobs is deleted", run_jobs_deletion);
    nothing_is_left();
    uint64_t calls = 0, syncs = 0, mounts = 0, failures = 0;
    for (const WorkloadState& state : states_) {
      calls += state.calls;
      syncs += state.syncs;
      mounts += state.mounts;
      failures += state.failures;
    }
    world_.story().tell("good: {} calls, {} failed as they may, {} syncs, {} mounts, {} steps", calls, failures, syncs,
                        mounts, world_.cluster().scheduler().steps());
    if (jobs_.options.on)
      world_.story().tell("jobs: {} done, {} of their tables lost with a worker, {} cancelled, {} failed as they may",
                          jobs_.done, jobs_.lost, jobs_.cancelled, jobs_.failed);
  }

  void end_client(WorkloadState& state) { end_program(state.client, state.finish); }

  void end_program(const std::string& machine, bool& finish) {
    if (random_.one_in(3)) {
      world_.story().tell("{} is killed at the end", machine);
      world_.cluster().kill(machine);
    } else {
      finish = true;
      world_.wait_until(machine + " ends", 300s, [&] { return !world_.cluster().running(machine); });
    }
  }

  void jobs_in_a_fresh_mount(const char* what, void (*program)(CairnWorld&, JobsState&, SimMachine&)) {
    if (!jobs_.options.on) return;
    jobs_.finish = true;
    world_.story().tell("{}, by a fresh mount", what);
    const std::string process = fmt::format("other/{}", ++programs_);
    world_.cluster().start(process, [this, program](SimMachine& machine) { program(world_, jobs_, machine); });
    world_.wait_until(what, 600s, [&] { return !world_.cluster().running(process); });
  }

  void in_a_fresh_mount(const char* what, void (*program)(CairnWorld&, WorkloadState&, SimMachine&)) {
    for (WorkloadState& state : states_) {
      world_.story().tell("{}, by a fresh mount", what);
      const std::string process = fmt::format("other/{}", ++programs_);
      world_.cluster().start(process,
                             [this, program, &state](SimMachine& machine) { program(world_, state, machine); });
      world_.wait_until(what, 300s, [&] { return !world_.cluster().running(process); });
    }
  }

  // The rotten ones are among the m that may be lost; then those go which suffered least, so that what was promised has
  // to be found on the others.
  void judge_without_m_servers() {
    std::vector<uint32_t> all(world_.options().chunkservers);
    for (uint32_t i = 0; i < all.size(); ++i) all[i] = i;
    std::shuffle(all.begin(), all.end(), random_);
    std::ranges::stable_sort(all, {}, [&](uint32_t index) { return suffered_[index]; });
    std::ranges::stable_partition(all,
                                  [&](uint32_t index) { return std::ranges::find(rotten_, index) != rotten_.end(); });
    all.resize(world_.options().policy.m);
    for (const uint32_t index : all) {
      world_.story().tell("{} loses power", CairnWorld::chunkserver(index));
      world_.cluster().power_cut(CairnWorld::chunkserver(index));
    }
    in_a_fresh_mount("all is judged without m servers", run_verification);
    jobs_in_a_fresh_mount("jobs are run without m servers", run_jobs_verification);
    for (const uint32_t index : all) world_.cluster().restart(CairnWorld::chunkserver(index));
    world_.wait_until_all_up();
  }

  void nothing_is_left() {
    world_.wait_until("no chunk is left", 120s, [&] {
      const ClusterStatus now = world_.status();
      return now.chunks == 0 && now.garbage_chunks == 0 && now.pending_punches == 0;
    });
    // An append that came after its chunk was removed has made a file again; the sweep finds it.
    world_.on_hang([this] { world_.story().tell("shards that are left: {}", fmt::join(shards_left(), " ")); });
    world_.wait_until("no shard is left", 120s, [&] { return shards_left().empty(); });
  }

  std::vector<std::string> shards_left() {
    std::vector<std::string> left;
    for (uint32_t i = 0; i < world_.options().chunkservers; ++i) {
      const std::string name = CairnWorld::chunkserver(i);
      for (const std::string& file : world_.cluster().disk(name).files()) {
        if (file.find("/shards/") != std::string::npos) left.push_back(name + ":" + file);
      }
    }
    return left;
  }

  const RunPlan plan_;
  CairnWorld world_;
  Random random_;
  std::vector<WorkloadState> states_;  // of the clients; not moved while they run
  JobsState jobs_;
  std::vector<uint32_t> rotten_;
  std::vector<uint64_t> suffered_;  // of each chunkserver
  int programs_ = 0;
};

}  // namespace

uint64_t run_seed_here(uint64_t seed, int story_to) {
  ClusterRun run(plan_of_seed(seed), story_to);
  return run.run();
}

}  // namespace cairn
