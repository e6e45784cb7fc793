// Group commit, recovery and checkpoints over a real state machine: with threads, and in a simulation with power cuts.
#include "metaserver/log/committer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>

#include "metaserver/log/checkpointer.h"
#include "metaserver/log/recovery.h"
#include "metaserver/state/queries.h"
#include "metaserver/store/memory_store.h"
#include "tests/metaserver/temp_directory.h"
#include "tests/sim/sim_cluster.h"

namespace cairn {
namespace {

Genesis test_genesis_values() {
  return {.incarnation = Incarnation{77},
          .default_class =
              {.id = kDefaultClass, .name = "default", .policy = {4, 2}, .cell_bytes = 4096, .failure_domain = "host"},
          .wall_ns = 1};
}
MakeNode file(const std::string& name) {
  return {.parent = kRootInode, .name = name, .mode = S_IFREG | 0644, .uid = 0, .gid = 0, .rdev = 0, .target = {}};
}
bool exists(const OrderedStore& store, const std::string& name) {
  return queries::lookup(*store.view(), kRootInode, name).ok();
}

SessionId open_session(Committer& committer, uint64_t nonce) {
  const Outcome outcome =
      committer.propose(OpenSession{{.name = "test", .host = "h", .pid = 1, .mount = false, .nonce = nonce}});
  EXPECT_TRUE(outcome.ok());
  return std::get<SessionId>(*outcome);
}

TEST(CommitterTest, ManyThreadsShareSyncsAndAReplayGivesTheSameState) {
  TempDirectory directory;
  MemoryStore store;
  constexpr int kThreads = 16, kEach = 100;
  {
    auto log = CommandLog::open(real_disk(), {.directory = directory.path() + "/log", .segment_bytes = 20'000}).value();
    const Recovered recovered = recover(*log, store, test_genesis_values()).value();
    EXPECT_TRUE(recovered.created);
    Committer committer(real_clock(), *log, store, recovered.applied, recovered.wall_ns, {});
    std::vector<Thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back("client", [&, t] {
        const SessionId session = open_session(committer, static_cast<uint64_t>(t) + 1);
        for (uint64_t i = 1; i <= kEach; ++i) {
          const std::string name = fmt::format("f{}-{}", t, i);
          const Outcome outcome = committer.propose(Command{{session, RequestId{i}, RequestId{i}}, 0, file(name)});
          ASSERT_TRUE(outcome.ok()) << outcome.error().what;
          ASSERT_TRUE(exists(store, name)) << "visible before the answer";
        }
      });
    }
    threads.clear();
    EXPECT_EQ(raw(committer.applied()), kThreads * (kEach + 1u));
    EXPECT_LT(committer.batches(), kThreads * (kEach + 1u) / 2) << "batches are shared";
  }
  MemoryStore fresh;
  auto log = CommandLog::open(real_disk(), {.directory = directory.path() + "/log"}).value();
  ASSERT_TRUE(fresh.write(genesis(test_genesis_values())).ok());
  const auto replayed = recover(*log, fresh, test_genesis_values());
  ASSERT_TRUE(replayed.ok()) << replayed.error().what;
  EXPECT_EQ(replayed->replayed, kThreads * (kEach + 1u));
  EXPECT_EQ(*state_hash(*fresh.view()), *state_hash(*store.view()));
}

TEST(CommitterTest, AStoppedCommitterRefuses) {
  TempDirectory directory;
  MemoryStore store;
  auto log = CommandLog::open(real_disk(), {.directory = directory.path()}).value();
  const Recovered recovered = recover(*log, store, test_genesis_values()).value();
  Committer committer(real_clock(), *log, store, recovered.applied, recovered.wall_ns, {});
  committer.stop();
  committer.stop();
  EXPECT_EQ(committer.propose(SealChunks{}).code(), Errc::unavailable);
}

// What survives the process: the store (which forgets what was not flushed), the promises, and the requests without an
// answer.
struct World {
  MemoryStore store;
  std::set<std::string> promised;
  struct Unanswered {
    Mutation mutation;
    std::string name;
  };
  std::map<int, Unanswered> unanswered;  // by worker
  uint64_t runs = 0;
  uint64_t failures = 0;
};
constexpr int kWorkers = 5;

// A worker makes files for ever. What it had no answer for is asked again first, with the same request id.
void work(World& world, Committer& committer, int worker, uint64_t run) {
  if (const auto it = world.unanswered.find(worker); it != world.unanswered.end()) {
    const Outcome again = committer.propose(Command{it->second.mutation, 0, file(it->second.name)});
    ASSERT_TRUE(again.ok()) << "a retry is answered like the first: " << again.error().what;
    world.promised.insert(it->second.name);
    world.unanswered.erase(it);
  }
  const SessionId session = open_session(committer, run * 100 + static_cast<uint64_t>(worker) + 1);
  for (uint64_t i = 1;; ++i) {
    const std::string name = fmt::format("r{}-w{}-{}", run, worker, i);
    const Mutation mutation{session, RequestId{i}, RequestId{i}};
    world.unanswered[worker] = {mutation, name};
    const Outcome outcome = committer.propose(Command{mutation, 0, file(name)});
    if (!outcome.ok()) return;  // only when the log has failed
    world.promised.insert(name);
    world.unanswered.erase(worker);
  }
}

void run_server(World& world, SimMachine& machine, bool checkpoints) {
  const uint64_t run = ++world.runs;
  auto log = CommandLog::open(machine.disk, {.directory = "/log", .segment_bytes = 3000, .seed = machine.seed});
  ASSERT_TRUE(log.ok()) << log.error().what;
  const auto recovered = recover(**log, world.store, test_genesis_values());
  ASSERT_TRUE(recovered.ok()) << recovered.error().what;
  for (const std::string& name : world.promised)
    ASSERT_TRUE(exists(world.store, name)) << name << " was acknowledged and is gone";
  Committer committer(machine.clock, **log, world.store, recovered->applied, recovered->wall_ns,
                      {.limits = {.batch_commands = 4}, .on_failure = [&world](const Error&) { ++world.failures; }});
  std::unique_ptr<Checkpointer> checkpointer;
  if (checkpoints) {
    checkpointer =
        std::make_unique<Checkpointer>(machine.clock, **log, world.store, committer,
                                       Checkpointer::Options{.log_bytes = 5000, .interval = 100ms, .look_every = 10ms});
  }
  std::vector<Thread> workers;
  for (int worker = 0; worker < kWorkers; ++worker)
    workers.emplace_back("worker", [&world, &committer, worker, run] { work(world, committer, worker, run); });
  workers.clear();
}

TEST(CommitterSimulationTest, WhatWasAcknowledgedSurvivesPowerCutsAndRetriesHappenOnce) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    World world;
    SimCluster cluster(seed);
    const bool checkpoints = seed % 2 == 0;
    const Status end = cluster.run([&] {
      cluster.start("meta", [&world, checkpoints](SimMachine& machine) { run_server(world, machine, checkpoints); });
      for (int cut = 0; cut < 6; ++cut) {
        cluster.scheduler().sleep(std::chrono::microseconds(cluster.random().below(400'000)));
        if (cluster.random().one_in(2)) {
          cluster.power_cut("meta");
        } else {
          cluster.kill("meta");
        }
        world.store.crash(cluster.random()());
        cluster.restart("meta");
      }
      cluster.scheduler().sleep(300ms);
      cluster.kill("meta");
    });
    ASSERT_TRUE(end.ok()) << "seed " << seed << ": " << end.error().what;
    ASSERT_GT(world.promised.size(), 50u) << "seed " << seed;
    for (const std::string& name : world.promised)
      ASSERT_TRUE(exists(world.store, name)) << "seed " << seed << " " << name;
    // Nothing but what was asked for, once each: a retry that had happened twice would have failed with `exists`.
    const auto page = queries::directory(*world.store.view(), kRootInode, 0, 1'000'000);
    EXPECT_LE(page->entries.size(), world.promised.size() + kWorkers);
    if (checkpoints) continue;
    // The whole log is there: a fresh store after a full replay is the same, byte for byte.
    auto log = CommandLog::open(cluster.disk("meta"), {.directory = "/log"});
    ASSERT_TRUE(log.ok()) << log.error().what;
    MemoryStore fresh;
    ASSERT_TRUE(fresh.write(genesis(test_genesis_values())).ok());
    ASSERT_TRUE(recover(**log, fresh, test_genesis_values()).ok());
    ASSERT_TRUE(recover(**log, world.store, test_genesis_values()).ok());
    EXPECT_EQ(*state_hash(*fresh.view()), *state_hash(*world.store.view())) << "seed " << seed;
  }
}

TEST(CommitterSimulationTest, AFailedSyncEndsAllPromisesAndARestartFindsWhatWasPromised) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    World world;
    SimCluster cluster(seed);
    const Status end = cluster.run([&] {
      cluster.start("meta", [&world](SimMachine& machine) { run_server(world, machine, false); });
      cluster.scheduler().sleep(200ms);
      cluster.disk("meta").add_fault({.operation = DiskOperation::sync, .path_part = "/log/", .times = 1});
      cluster.scheduler().sleep(200ms);
      EXPECT_EQ(world.failures, 1u);
      EXPECT_FALSE(cluster.running("meta")) << "every worker got its error and returned";
      const size_t promised = world.promised.size();
      cluster.power_cut("meta");
      world.store.crash(seed);
      cluster.restart("meta");
      cluster.scheduler().sleep(200ms);
      EXPECT_GT(world.promised.size(), promised);
      cluster.kill("meta");
    });
    ASSERT_TRUE(end.ok()) << end.error().what;
  }
}

TEST(RecoveryTest, RefusesStoreAndLogThatDoNotBelongTogether) {
  SimScheduler scheduler(1);
  SimDisk disk(scheduler, 1);
  MemoryStore store;
  {
    auto log = CommandLog::open(disk, {.directory = "/log", .segment_bytes = 500}).value();
    const Recovered recovered = recover(*log, store, test_genesis_values()).value();
    Committer committer(real_clock(), *log, store, recovered.applied, recovered.wall_ns, {});
    for (uint64_t i = 1; i <= 20; ++i) open_session(committer, i);
    committer.stop();
    ASSERT_TRUE(log->trim(LogIndex{15}).ok());
  }
  const auto expect_refused = [&](const std::string& directory, OrderedStore& with, const std::string& why) {
    auto log = CommandLog::open(disk, {.directory = directory}).value();
    const auto recovered = recover(*log, with, test_genesis_values());
    ASSERT_FALSE(recovered.ok());
    EXPECT_EQ(recovered.code(), Errc::corrupt);
    EXPECT_THAT(recovered.error().what, testing::HasSubstr(why));
  };
  MemoryStore empty;
  expect_refused("/log", empty, "the metadata store is empty");
  expect_refused("/other", store, "the log is empty");
  MemoryStore old;
  ASSERT_TRUE(old.write(genesis(test_genesis_values())).ok());
  expect_refused("/log", old, "do not join");
  MemoryStore foreign;
  Genesis other = test_genesis_values();
  other.incarnation = Incarnation{1};
  ASSERT_TRUE(foreign.write(genesis(other)).ok());
  expect_refused("/log", foreign, "belongs to database");
}

TEST(RecoveryTest, ACrashInTheMiddleOfCreationBeginsAgain) {
  SimScheduler scheduler(1);
  SimDisk disk(scheduler, 1);
  {
    auto log = CommandLog::open(disk, {.directory = "/log"}).value();
    ASSERT_TRUE(log->begin(Incarnation{5}, LogIndex{1}).ok());
  }
  disk.crash();
  MemoryStore store;
  auto log = CommandLog::open(disk, {.directory = "/log"}).value();
  const auto recovered = recover(*log, store, test_genesis_values());
  ASSERT_TRUE(recovered.ok()) << recovered.error().what;
  EXPECT_TRUE(recovered->created);
  EXPECT_EQ(recovered->incarnation, Incarnation{5}) << "the log's first segment had its name already";
}

}  // namespace
}  // namespace cairn
