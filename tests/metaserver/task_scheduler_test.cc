#include "metaserver/jobs/task_scheduler.h"

#include <gmock/gmock.h>

#include "common/base/random.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr JobId kJob{1};
constexpr ServerId kA{1}, kB{2}, kC{3}, kAnybody{};

class TaskSchedulerTest : public testing::Test {
 protected:
  using Task = TaskScheduler::Task;

  void start(JobId job, const std::vector<Task>& tasks, JobPhase phase = JobPhase::mapping) {
    scheduler_.start_phase(job, phase, tasks, now_, now_);
  }
  // A worker that names what it was given and has not finished.
  void poll(ServerId server, uint32_t slots = 1, Duration wait = 0s) {
    std::vector<RunningTask> running;
    for (const TaskRef& ref : runs_[server]) running.push_back({ref, 100});
    scheduler_.on_poll({server, sites_[server], slots, running, wait}, now_);
    for (const TaskRef& ref : scheduler_.take_drops(server)) {
      dropped_[server].push_back(ref);
      std::erase(runs_[server], ref);
    }
  }
  // The number of the task that it gets; none: nothing now.
  std::optional<uint32_t> take(ServerId server) {
    const auto ref = scheduler_.take(server, now_);
    if (!ref) return std::nullopt;
    runs_[server].push_back(*ref);
    last_ = *ref;
    return ref->task;
  }
  void finish(ServerId server, bool succeeded = true) {
    const TaskRef ref = runs_[server].front();
    runs_[server].erase(runs_[server].begin());
    scheduler_.on_finished(ref, server, succeeded, now_);
  }

  Instant now_ = Instant{} + 100s;
  TaskScheduler scheduler_{{.first_attempt = AttemptId{1000}}};
  std::map<ServerId, std::string> sites_;
  std::map<ServerId, std::vector<TaskRef>> runs_, dropped_;
  TaskRef last_;
};

TEST_F(TaskSchedulerTest, ATaskGoesToTheWorkerBesideItsBytes) {
  start(kJob, {{0, kB, {}}, {1, kA, {}}, {2, kAnybody, {}}});
  poll(kA, 2);
  poll(kB, 2);
  EXPECT_EQ(take(kA), 1u);
  EXPECT_EQ(raw(last_.attempt), 1000u);
  EXPECT_EQ(take(kB), 0u);
  EXPECT_EQ(take(kA), 2u);
  EXPECT_EQ(take(kA), std::nullopt);
  EXPECT_EQ(take(kB), std::nullopt);
}

TEST_F(TaskSchedulerTest, OthersGetTheTasksOfABusyOwnerAfterADelay) {
  start(kJob, {{0, kA, {}}, {1, kA, {}}});
  poll(kA);
  poll(kB);
  EXPECT_EQ(take(kB), std::nullopt) << "its owner is free";
  EXPECT_EQ(take(kA), 0u);
  now_ = now_ + 1900ms;
  poll(kA);
  poll(kB);
  EXPECT_EQ(take(kB), std::nullopt) << "the owner may be done soon";
  now_ = now_ + 100ms;
  EXPECT_EQ(take(kB), 1u);
}

TEST_F(TaskSchedulerTest, TasksOfAnOwnerThatIsNotThereGoToAnybodyAtOnce) {
  start(kJob, {{0, kC, {}}});
  poll(kA);
  EXPECT_EQ(take(kA), 0u);
}

TEST_F(TaskSchedulerTest, AmongForeignTasksThoseOfTheSameSiteComeFirst) {
  sites_ = {{kA, "east"}, {kB, "west"}, {kC, "east"}};
  start(kJob, {{0, kB, {}}, {1, kB, {}}, {2, kB, {}}, {3, kC, {}}, {4, kC, {}}});
  poll(kB);
  poll(kC);
  poll(kA);
  EXPECT_EQ(take(kB), 0u);
  EXPECT_EQ(take(kC), 3u);
  now_ = now_ + 2s;
  EXPECT_EQ(take(kA), 4u);
}

TEST_F(TaskSchedulerTest, JobsTakeTurns) {
  std::vector<Task> many;
  for (uint32_t i = 0; i < 10; ++i) many.push_back({i, kAnybody, {}});
  start(JobId{1}, many);
  start(JobId{2}, many);
  poll(kA, 6);
  std::map<JobId, int> given;
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(take(kA));
    ++given[last_.job];
  }
  EXPECT_EQ(given[JobId{1}], 3);
  EXPECT_EQ(given[JobId{2}], 3);
}

TEST_F(TaskSchedulerTest, AFailedTaskIsTriedOnAnotherServerIfThereIsOne) {
  start(kJob, {{0, kA, {}}});
  poll(kA);
  poll(kB);
  ASSERT_EQ(take(kA), 0u);
  finish(kA, false);
  EXPECT_EQ(take(kA), std::nullopt);
  EXPECT_EQ(take(kB), 0u);
  finish(kB, false);
  EXPECT_EQ(take(kA), 0u) << "it failed everywhere: anywhere is as good";
  finish(kA);
  EXPECT_EQ(scheduler_.activity(kJob).waiting, 0u);
}

TEST_F(TaskSchedulerTest, AWorkerIsNotSilentWhileItsPollWaits) {
  poll(kA, 1, 10s);
  now_ = now_ + 12s;
  scheduler_.on_tick(now_);
  EXPECT_EQ(scheduler_.slots(), 1u);
  now_ = now_ + 5s;
  scheduler_.on_tick(now_);
  EXPECT_EQ(scheduler_.slots(), 0u);
}

TEST_F(TaskSchedulerTest, WhatASilentWorkerRanIsGivenToAnother) {
  start(kJob, {{0, kA, {}}, {1, kB, {}}});
  poll(kA);
  poll(kB);
  ASSERT_EQ(take(kA), 0u);
  ASSERT_EQ(take(kB), 1u);
  for (int i = 0; i < 7; ++i) {
    now_ = now_ + 1s;
    poll(kB);
    scheduler_.on_tick(now_);
  }
  finish(kB);
  EXPECT_EQ(take(kB), 0u);
  // Back from wherever it was: its attempt may still be the first.
  poll(kA);
  finish(kA);
  EXPECT_EQ(scheduler_.activity(kJob).running, 0u);
  poll(kB);
  EXPECT_THAT(dropped_[kB], SizeIs(1));
}

// Its poll and its report were under way at once.
TEST_F(TaskSchedulerTest, AnAttemptThatHasFailedIsNotTakenForRunning) {
  start(kJob, {{0, kA, {}}});
  poll(kA);
  ASSERT_EQ(take(kA), 0u);
  const TaskRef failed = runs_[kA].front();
  finish(kA, false);
  runs_[kA] = {failed};
  poll(kA);
  EXPECT_EQ(scheduler_.activity(kJob).running, 0u);
  EXPECT_THAT(dropped_[kA], ElementsAre(failed));
}

TEST_F(TaskSchedulerTest, WhatAWorkerDoesNotNameItHasLost) {
  start(kJob, {{0, kA, {}}});
  poll(kA);
  ASSERT_EQ(take(kA), 0u);
  runs_[kA].clear();  // the answer did not arrive
  poll(kA);
  EXPECT_EQ(take(kA), 0u);
  EXPECT_EQ(scheduler_.activity(kJob).running, 1u);
}

TEST_F(TaskSchedulerTest, ATaskThatTakesItsWorkersWithItIsGivenUp) {
  start(kJob, {{0, kA, {}}});
  for (uint32_t i = 0; i < kMaxTaskFailures; ++i) {
    EXPECT_THAT(scheduler_.take_given_up(), IsEmpty());
    poll(kA);
    ASSERT_EQ(take(kA), 0u);
    runs_[kA].clear();
    scheduler_.on_worker_gone(kA, now_);
  }
  const auto given_up = scheduler_.take_given_up();
  ASSERT_THAT(given_up, SizeIs(1));
  EXPECT_EQ(given_up[0].job, kJob);
  EXPECT_EQ(given_up[0].times, kMaxTaskFailures);
  EXPECT_THAT(scheduler_.take_given_up(), IsEmpty());
}

TEST_F(TaskSchedulerTest, ASlowTaskIsStartedOnceMoreElsewhereAndTheFirstResultDropsTheOther) {
  start(kJob, {{0, kA, {}}, {1, kA, {}}, {2, kB, {}}});
  poll(kA, 2);
  poll(kB);
  ASSERT_EQ(take(kA), 0u);
  ASSERT_EQ(take(kA), 1u);
  ASSERT_EQ(take(kB), 2u);
  now_ = now_ + 2s;
  finish(kB);
  finish(kA);  // task 0: the median is 2 s
  now_ = now_ + 900ms;
  poll(kA, 2);
  poll(kB);
  EXPECT_EQ(take(kB), std::nullopt);  // 2.9 s
  now_ = now_ + 200ms;
  EXPECT_EQ(take(kA), std::nullopt) << "not beside itself";
  EXPECT_EQ(take(kB), 1u);
  EXPECT_EQ(take(kC), std::nullopt) << "it has not polled";
  poll(kC);
  now_ = now_ + 20s;
  EXPECT_EQ(take(kC), std::nullopt) << "two attempts are enough";
  EXPECT_EQ(scheduler_.activity(kJob).extra_attempts, 1u);
  finish(kB);
  EXPECT_TRUE(scheduler_.has_drops(kA));
  EXPECT_THAT(scheduler_.take_drops(kA), ElementsAre(runs_[kA][0]));
  EXPECT_EQ(scheduler_.activity(kJob).running, 0u);
}

TEST_F(TaskSchedulerTest, MergingIsNotDoneTwiceForSpeed) {
  start(kJob, {{0, kAnybody, {}}}, JobPhase::merging);
  poll(kA);
  poll(kB);
  ASSERT_EQ(take(kA), 0u);
  now_ = now_ + 100s;
  poll(kA);
  poll(kB);
  EXPECT_EQ(take(kB), std::nullopt);
}

TEST_F(TaskSchedulerTest, AfterARestartRunningAttemptsAreLearntAndTheOthersStartedAgain) {
  const TaskRef running{kJob, JobPhase::mapping, 1, AttemptId{7}},
      unknown{JobId{9}, JobPhase::mapping, 0, AttemptId{8}};
  const TaskRef earlier_phase{kJob, JobPhase::surveying, 0, AttemptId{6}};
  scheduler_.start_phase(kJob, JobPhase::mapping, {{0, kA, {}}, {1, kA, {}}}, now_ + 6s, now_);
  runs_[kA] = {running, unknown, earlier_phase};
  poll(kA, 4);
  EXPECT_THAT(dropped_[kA], ElementsAre(unknown, earlier_phase));
  EXPECT_EQ(take(kA), std::nullopt) << "another worker may have task 0";
  EXPECT_EQ(scheduler_.activity(kJob).running, 1u);
  EXPECT_EQ(scheduler_.activity(kJob).bytes, 100u);
  now_ = now_ + 6s;
  poll(kA, 4);
  EXPECT_EQ(take(kA), 0u);
  EXPECT_EQ(take(kA), std::nullopt);
  finish(kA);
  finish(kA);
  EXPECT_EQ(scheduler_.activity(kJob).running, 0u);
}

TEST_F(TaskSchedulerTest, ATaskWhoseResultWasLostIsGivenOutAgain) {
  start(kJob, {{0, kA, {}}, {1, kA, {}}});
  poll(kA);
  ASSERT_EQ(take(kA), 0u);
  finish(kA);
  scheduler_.add_task(kJob, JobPhase::surveying, {0, kA, {}});  // of another phase: nothing
  scheduler_.add_task(kJob, JobPhase::mapping, {1, kA, {}});    // it is there
  EXPECT_EQ(scheduler_.activity(kJob).waiting, 1u);
  scheduler_.add_task(kJob, JobPhase::mapping, {0, kA, {}});
  EXPECT_EQ(scheduler_.activity(kJob).waiting, 2u);
  EXPECT_EQ(take(kA), 0u);
}

TEST_F(TaskSchedulerTest, ACancelledJobIsDroppedEverywhere) {
  start(kJob, {{0, kA, {}}, {1, kB, {}}, {2, kB, {}}});
  poll(kA);
  poll(kB);
  take(kA);
  take(kB);
  scheduler_.end_job(kJob);
  EXPECT_TRUE(scheduler_.has_drops(kA));
  poll(kA);
  poll(kB);
  EXPECT_THAT(dropped_[kA], SizeIs(1));
  EXPECT_THAT(dropped_[kB], SizeIs(1));
  EXPECT_EQ(take(kB), std::nullopt);
  EXPECT_EQ(scheduler_.phase(kJob), std::nullopt);
}

TEST_F(TaskSchedulerTest, TheNextPhaseDropsWhatIsLeftOfTheLast) {
  start(kJob, {{0, kA, {}}}, JobPhase::surveying);
  poll(kA);
  take(kA);
  start(kJob, {{0, kA, {}}});
  poll(kA);
  EXPECT_THAT(dropped_[kA], SizeIs(1));
  EXPECT_EQ(take(kA), 0u);
  EXPECT_EQ(last_.phase, JobPhase::mapping);
}

// Random workers that vanish, fail, forget and come back: in the end every task has a result, and the counts are right.
TEST_F(TaskSchedulerTest, WhateverHappensEveryTaskIsDoneAndCountedOnce) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    scheduler_ = TaskScheduler{{.first_attempt = AttemptId{1}}};
    runs_.clear();
    std::map<JobId, std::set<uint32_t>> left;
    for (uint64_t job = 1; job <= 3; ++job) {
      std::vector<Task> tasks;
      for (uint32_t i = 0; i < 20; ++i) {
        tasks.push_back({i, ServerId{static_cast<uint32_t>(random.below(5))}, {}});
        left[JobId{job}].insert(i);
      }
      start(JobId{job}, tasks);
    }
    for (int step = 0; step < 20'000 && !(left[JobId{1}].empty() && left[JobId{2}].empty() && left[JobId{3}].empty());
         ++step) {
      now_ = now_ + std::chrono::milliseconds(random.below(300));
      const ServerId server{1 + static_cast<uint32_t>(random.below(4))};
      switch (random.below(12)) {
        case 0:
          runs_[server].clear();  // it was restarted
          poll(server, 3);
          break;
        case 1:
          scheduler_.on_worker_gone(server, now_);
          break;
        case 2:
          scheduler_.on_tick(now_);
          break;
        case 3:
        case 4:
        case 5:
          if (!runs_[server].empty()) {
            const TaskRef ref = runs_[server].front();
            const bool succeeded = !random.one_in(10);
            if (succeeded) left[ref.job].erase(ref.task);
            finish(server, succeeded || !left[ref.job].contains(ref.task));
          }
          break;
        default:
          poll(server, 3);
          while (take(server)) {
          }
      }
      uint32_t running = 0, waiting = 0;
      for (uint64_t job = 1; job <= 3; ++job) {
        const auto activity = scheduler_.activity(JobId{job});
        running = 0;
        for (const auto& [on, count] : activity.by_server) running += count;
        ASSERT_EQ(running, activity.running) << "seed " << seed << " step " << step;
        waiting = activity.waiting;
        ASSERT_LE(waiting, left[JobId{job}].size());
        ASSERT_GE(waiting + running, left[JobId{job}].size());
      }
    }
    for (auto& [job, tasks] : left) ASSERT_THAT(tasks, IsEmpty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace cairn
