#include "tests/campaign/jobs_workload.h"

#include "tests/campaign/mounting.h"
#include "tests/campaign/submitter.h"

namespace cairn {
namespace {

constexpr const char* kSessions = "cairn task";  // as JobClient names its own

std::unique_ptr<Filesystem> mount(CairnWorld& world, JobsState& state, SimMachine& machine) {
  ++state.mounts;
  state.doing.assign(state.options.submitters, "");
  state.directories.resize(state.options.submitters);
  auto files = mount_patiently(world, machine, state.options.mount, state.mounts);
  // What a dead program has asked for may still happen while its sessions live.
  wait_for_old_sessions(world, machine.name, 1);
  wait_for_old_sessions(world, kSessions, 0);
  return files;
}

void end_mount(CairnWorld& world, JobsState& state, const CallFailed& failure) {
  if (!state.broken) world.story().tell("jobs: this mount ends: {}", failure.what);
  state.broken = true;
}

void make_or_settle(const JobsMount& mount) {
  for (size_t i = 0; i < mount.state.options.submitters; ++i) {
    Submitter submitter(mount, i, mount.machine.seed + i);
    mount.state.formatted ? submitter.settle() : submitter.make_files();
  }
  mount.state.formatted = true;
}

void work(const JobsMount& mount) {
  std::vector<Thread> threads;
  Random random(mount.machine.seed + mount.state.mounts);
  for (size_t i = 0; i < mount.state.options.submitters; ++i) {
    threads.emplace_back(fmt::format("submitter{}", i), [&mount, i, seed = random()] {
      try {
        Submitter submitter(mount, i, seed);
        while (!mount.state.finish && !mount.state.broken) submitter.step();
      } catch (const CallFailed& failure) {
        end_mount(mount.world, mount.state, failure);
      }
    });
  }
}  // joins them

void run_mount(CairnWorld& world, JobsState& state, SimMachine& machine) {
  world.begin_judging(machine.name);
  const auto files = mount(world, state, machine);
  state.broken = false;
  const JobsMount mount{world, state, machine, *files};
  try {
    make_or_settle(mount);
  } catch (const CallFailed& failure) {
    end_mount(world, state, failure);
  }
  world.end_judging(machine.name);
  if (!state.broken) work(mount);
  const Status closed = files->close();
  if (!world.options().harsh) world.story().must("close", closed);
}

// A submitter that died may have left a job without inputs, which would wait for them.
void cancel_incomplete_jobs(const JobsMount& mount) {
  JobClient client = expect(mount.world, "open a session for jobs", connect_jobs(mount, 0));
  for (const JobStatus& one : expect(mount.world, "list jobs", client.meta().list_jobs({}, 0)).jobs) {
    if (one.phase == JobPhase::receiving) mount.world.story().must("cancel", client.cancel(one.job));
  }
}

}  // namespace

Result<JobClient> connect_jobs(const JobsMount& mount, uint64_t number) {
  const Address metaserver{CairnWorld::kMeta, CairnWorld::kMetaPort};
  return JobClient::connect(std::make_unique<MetaClient>(mount.machine.network, mount.machine.clock, metaserver),
                            mount.machine.clock, mix64(mount.machine.seed ^ number) | 1);
}

void JobsState::tell(Story& story) const {
  for (size_t i = 0; i < doing.size(); ++i) story.tell("{}: {}", directory(i), doing[i]);
}

void run_jobs(CairnWorld& world, JobsState& state, SimMachine& machine) {
  do {
    run_mount(world, state, machine);
  } while (!state.finish);
}

void run_jobs_verification(CairnWorld& world, JobsState& state, SimMachine& machine) {
  const auto files = mount(world, state, machine);
  const JobsMount mount{world, state, machine, *files};
  cancel_incomplete_jobs(mount);
  for (size_t i = 0; i < state.options.submitters; ++i) {
    Submitter submitter(mount, i, machine.seed + i);
    submitter.settle();
    submitter.run_a_job();
    submitter.wait_for_no_hidden_file();
    submitter.check_names();
  }
  world.story().must("close", files->close());
}

void run_jobs_deletion(CairnWorld& world, JobsState& state, SimMachine& machine) {
  const auto files = mount(world, state, machine);
  const JobsMount mount{world, state, machine, *files};
  for (size_t i = 0; i < state.options.submitters; ++i) {
    Submitter submitter(mount, i, machine.seed + i);
    submitter.remove_everything();
  }
  world.story().must("close", files->close());
}

}  // namespace cairn
