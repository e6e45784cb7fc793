#include "tests/campaign/workloads.h"

#include <sys/stat.h>

#include <algorithm>

#include "common/base/random.h"
#include "tests/campaign/files_worker.h"
#include "tests/campaign/mounting.h"
#include "tests/campaign/names_worker.h"
#include "tests/campaign/shared_worker.h"

namespace cairn {
namespace {

std::unique_ptr<Filesystem> mount(CairnWorld& world, WorkloadState& state, SimMachine& machine) {
  ++state.mounts;
  return mount_patiently(world, machine, state.options.mount, state.mounts);
}

std::string joined(const std::map<std::string, InodeId>& names) {
  std::string text;
  for (const auto& [name, inode] : names) text += fmt::format(" {}={}", name, raw(inode));
  return text;
}

void end_old_sessions(CairnWorld& world, const WorkloadState& state, int64_t own) {
  wait_for_old_sessions(world, state.client, own);
  world.shared().names.settle(state.index);
}

// Every name and byte; what was found is what every later crash must leave.
void judge(CairnWorld& world, Filesystem& files, WorkloadState& state) {
  Story& story = world.story();
  uint64_t count = 0, bytes = 0;
  for (size_t i = 0; i < state.oracle.directories.size(); ++i) {
    DirectoryModel& directory = state.oracle.directories[i];
    const std::string path = state.directory(i);
    const auto seen = list_directory(world, files, directory.inode);
    if (!directory.settle(seen)) {
      std::string known;
      for (const auto& [name, file] : directory.names()) known += fmt::format(" {}={}", name, raw(file->inode));
      story.wrong("directory {} has{}, and should have{}", path, joined(seen), known);
    }
    for (const auto& [name, file] : directory.names()) {
      const std::string what = fmt::format("{}/{} (inode {})", path, name, raw(file->inode));
      FileModel::Bytes content = expect(world, "read " + what, read_all(story, files, file->inode));
      if (const auto objection = file->objection(content)) story.wrong("{}: {}", what, *objection);
      ++count;
      bytes += content.size();
      file->adopt(std::move(content));
    }
  }
  story.tell("{}: {} files with {} bytes are as they may be", state.client, count, bytes);
}

void format(CairnWorld& world, Filesystem& files, WorkloadState& state) {
  state.oracle.directories.resize(state.options.workers);
  for (uint32_t i = 0; i < state.options.workers; ++i) {
    const std::string name = state.directory(i);
    auto made = files.make_node({kRootInode, name, S_IFDIR | 0755, 0, 0, 0, {}});
    if (!made.ok() && made.code() == Errc::exists) made = files.lookup(kRootInode, name);  // a crash came in between
    state.oracle.directories[i].inode = expect(world, "mkdir " + name, std::move(made)).attributes.inode;
  }
  state.formatted = true;
}

void end_mount(CairnWorld& world, WorkloadState& state, const CallFailed& failure) {
  ++state.failures;
  world.begin_giving_up(state.index);
  if (!state.broken) world.story().tell("{}: this mount ends: {}", state.client, failure.what);
  state.broken = true;
}

// Until the driver says so, or a call fails that may.
void work(CairnWorld& world, WorkloadState& state, Filesystem& files, uint64_t seed) {
  std::vector<Thread> threads;
  Random random(seed);
  for (uint32_t i = 0; i < state.options.workers; ++i) {
    threads.emplace_back(fmt::format("worker{}", i), [&world, &state, &files, i, own_seed = random()] {
      try {
        FilesWorker worker(world, state, files, i, own_seed);
        while (!state.finish && !state.broken) worker.step();
        if (!state.broken) worker.end();
      } catch (const CallFailed& failure) {
        end_mount(world, state, failure);
      }
    });
  }
  if (world.options().clients == 1) return;
  threads.emplace_back("shared", [&world, &state, &files, own_seed = random()] {
    try {
      SharedWorker worker(world, state, files, state.index, own_seed);
      while (!state.finish && !state.broken) worker.step();
    } catch (const CallFailed& failure) {
      end_mount(world, state, failure);
    }
  });
  for (uint32_t i = 0; i < NamesWorker::kOfEachClient; ++i) {
    threads.emplace_back(fmt::format("names{}", i), [&world, &state, &files, own_seed = random()] {
      try {
        NamesWorker worker(world, state, files, own_seed);
        while (!state.finish && !state.broken) worker.step();
      } catch (const CallFailed& failure) {
        end_mount(world, state, failure);
      }
    });
  }
}  // joins them

// One mount: judges what is there, works, closes. Everything is acknowledged if all went well.
void run_mount(CairnWorld& world, WorkloadState& state, SimMachine& machine) {
  Story& story = world.story();
  world.begin_judging(machine.name);
  const auto files = mount(world, state, machine);
  story.tell("{}: mounted", state.client);
  world.new_life(state.index);
  state.mounted = files.get();
  state.broken = false;
  state.doing.assign(state.options.workers, "");
  try {
    if (!state.formatted) format(world, *files, state);
    end_old_sessions(world, state, 1);
    judge(world, *files, state);
  } catch (const CallFailed& failure) {
    end_mount(world, state, failure);
  }
  world.end_judging(machine.name);
  if (!state.broken) work(world, state, *files, machine.seed + state.mounts);
  state.mounted = nullptr;
  if (world.options().harsh) world.begin_giving_up(state.index);  // what cannot be stored now
  const Status closed = files->close();
  if (world.options().harsh) world.new_life(state.index);
  if (!world.options().harsh) story.must("close", closed);
  if (state.broken || !closed.ok()) return story.tell("{}: closed with errors", state.client);
  for (DirectoryModel& directory : state.oracle.directories) {
    for (const auto& [name, file] : directory.names()) file->acknowledge(file->mark());
  }
  story.tell("{}: closed after {} calls", state.client, state.calls);
}

}  // namespace

void call_failed(CairnWorld& world, const std::string& what, const Error& error) {
  constexpr Errc kMayBe[] = {Errc::io,   Errc::timed_out, Errc::unavailable,
                             Errc::busy, Errc::no_space,  Errc::no_session};
  const std::string told = fmt::format("{}: {}: {}", what, name_of(error.code), error.what);
  const bool may_be = std::ranges::find(kMayBe, error.code) != std::end(kMayBe);
  if (!world.options().harsh || world.verdict() || !may_be) world.story().wrong("{}", told);
  throw CallFailed{told};
}

void WorkloadState::tell(Story& story) const {
  for (size_t i = 0; i < doing.size(); ++i) story.tell("{}, worker {}: {}", client, i, doing[i]);
  if (mounted != nullptr) story.tell("{}", mounted->statistics_json());
}

void run_workload(CairnWorld& world, WorkloadState& state, SimMachine& machine) {
  do {
    run_mount(world, state, machine);
  } while (!state.finish);
}

void run_verification(CairnWorld& world, WorkloadState& state, SimMachine& machine) {
  const auto files = mount(world, state, machine);
  end_old_sessions(world, state, 0);
  judge(world, *files, state);
  world.story().must("close", files->close());
}

void run_deletion(CairnWorld& world, WorkloadState& state, SimMachine& machine) {
  Story& story = world.story();
  const auto files = mount(world, state, machine);
  for (size_t i = 0; i < state.oracle.directories.size(); ++i) {
    DirectoryModel& directory = state.oracle.directories[i];
    for (const auto& [name, file] : directory.names())
      story.must("unlink " + name, files->unlink(directory.inode, name));
    story.must("rmdir", files->rmdir(kRootInode, state.directory(i)));
  }
  SharedWorker::remove_all(world, *files);
  NamesWorker::remove_all(world, *files);
  story.must("close", files->close());
}

}  // namespace cairn
