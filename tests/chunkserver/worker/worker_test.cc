#include "chunkserver/worker/worker.h"

#include <gtest/gtest.h>

#include "tests/chunkserver/support.h"
#include "tests/chunkserver/worker/fake_jobs.h"

namespace cairn {
namespace {

using test::FakeJobs;

// A worker with two slots, and a job over one small file.
class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() {
    jobs.about.phase = JobPhase::mapping;
    jobs.about.op = "wc";
    jobs.about.inputs = 1;
    jobs.about.files = {{InodeId{5}, "/a", 1, 8, ""}};
    jobs.layouts = {{1, 8, {}, {}, {}, "one two\n", 8}};
    EXPECT_TRUE(jobs.start().ok());
    worker =
        std::make_unique<Worker>(real_network(), real_clock(), real_disk(),
                                 WorkerOptions{jobs.address(), directory.path(), ServerId{4}, 2, {"127.0.0.1", 0}, ""});
    EXPECT_TRUE(worker->start().ok());
  }
  static Assignment task(uint32_t number) {
    return {
        {JobId{3}, JobPhase::mapping, number, AttemptId{number + 100}}, ServerId{0}, false, {{0, 0, 8}}, {}, {}, {}};
  }
  // One that reads from a server that does not answer, until it is cancelled or gives up.
  Assignment stuck_task() {
    ChunkInfo chunk;
    chunk.chunk = ChunkId{77};
    chunk.code = {1, 0};
    chunk.servers = {ServerId{99}};
    chunk.incarnation = Incarnation{7};
    chunk.cell_bytes = 4096;
    chunk.shard_limit = 1u << 30;
    const StripeShape shape{{1, 0}, 4096, 4096, 1};
    jobs.about.files.push_back({InodeId{6}, "/stuck", 1, 64u << 20, ""});
    jobs.layouts.push_back({1, 64u << 20, {}, {}, {}, {}, 64u << 20});
    for (uint64_t at = 0; at < 64u << 20; at += 4096)
      jobs.layouts.back().extents.push_back({at, 4096, chunk.chunk, at * 2, 0, shape});
    jobs.layouts.back().chunks = {chunk};
    jobs.layouts.back().holders = {{chunk.chunk, {ServerId{99}}}};
    Assignment assignment = task(50);
    assignment.windows = {{1, 0, 64u << 20}};
    assignment.whole = true;
    return assignment;
  }

  test::TemporaryDirectory directory;
  FakeJobs jobs;
  std::unique_ptr<Worker> worker;
};

TEST_F(WorkerTest, AsksForTasksAndReportsThem) {
  const auto poll = jobs.next_poll();
  ASSERT_TRUE(poll);
  EXPECT_EQ(poll->server, ServerId{4});
  EXPECT_EQ(poll->slots, 2u);
  EXPECT_TRUE(poll->running.empty());
  jobs.order({{task(1), task(2), task(3)}, {}});
  std::set<uint32_t> done;
  for (int i = 0; i < 3; ++i) {
    const auto finish = jobs.next_finish();
    ASSERT_TRUE(finish);
    EXPECT_FALSE(finish->failure) << finish->failure->what;
    EXPECT_EQ(finish->server, ServerId{4});
    EXPECT_FALSE(finish->partial.empty());
    done.insert(finish->ref.task);
  }
  EXPECT_EQ(done, (std::set<uint32_t>{1, 2, 3}));
}

TEST_F(WorkerTest, AResultIsReportedInANewSessionWhenTheOldOneIsLost) {
  ASSERT_TRUE(jobs.next_poll());
  jobs.end_sessions();
  ASSERT_TRUE(jobs.wait_for_sessions(2)) << "the next poll was told, and another session was opened";
  ASSERT_TRUE(jobs.next_poll());
  jobs.order({{task(1)}, {}});
  EXPECT_TRUE(jobs.next_finish());
}

TEST_F(WorkerTest, AReportThatMayHaveBeenLostIsRepeated) {
  ASSERT_TRUE(jobs.next_poll());
  jobs.refuse_next_finish(2);
  jobs.order({{task(1)}, {}});
  for (int i = 0; i < 3; ++i) {
    const auto finish = jobs.next_finish();
    ASSERT_TRUE(finish);
    EXPECT_EQ(finish->ref, task(1).ref);
  }
}

TEST_F(WorkerTest, AMetaserverThatRestartsGetsTheNextPoll) {
  ASSERT_TRUE(jobs.next_poll());
  const Address address = jobs.address();
  jobs.stop();
  FakeJobs another;
  another.about = jobs.about;
  another.layouts = jobs.layouts;
  ASSERT_TRUE(another.start(address.port).ok());
  ASSERT_TRUE(another.next_poll());
  another.order({{task(1)}, {}});
  EXPECT_TRUE(another.next_finish());
  worker->stop();
}

TEST_F(WorkerTest, WhatIsDroppedBeforeItsTurnIsNotRun) {
  ASSERT_TRUE(jobs.next_poll());
  TaskOrders orders{{task(1), task(2), task(3), task(4), task(5), task(6)}, {}};
  for (const Assignment& one : orders.start) {
    if (one.ref.task > 2) orders.drop.push_back(one.ref);
  }
  jobs.order(orders);
  ASSERT_TRUE(jobs.next_finish());
  ASSERT_TRUE(jobs.next_finish());
  jobs.order({{task(9)}, {}});
  EXPECT_EQ(jobs.next_finish()->ref.task, 9u) << "nothing of 3 to 6 came before it";
}

TEST_F(WorkerTest, AFailureIsReportedWithItsReason) {
  ASSERT_TRUE(jobs.next_poll());
  Assignment wrong = task(1);
  wrong.windows = {{9, 0, 8}};
  jobs.order({{wrong}, {}});
  const auto finish = jobs.next_finish();
  ASSERT_TRUE(finish && finish->failure);
  EXPECT_EQ(finish->failure->code, Errc::invalid);
}

TEST_F(WorkerTest, StopEndsTheSessionAndGivesUpWhatRuns) {
  ASSERT_TRUE(jobs.next_poll());
  worker->stop();
  EXPECT_EQ(jobs.closed_sessions, 1);
}

TEST_F(WorkerTest, AnAttemptThatWaitsForServersIsNamedInPollsUntilItIsDropped) {
  const Assignment stuck = stuck_task();
  ASSERT_TRUE(jobs.next_poll());
  jobs.order({{stuck}, {}});
  std::optional<TaskPoll> poll = jobs.next_poll();
  for (int i = 0; i < 100 && poll && poll->running.empty(); ++i) poll = jobs.next_poll();
  ASSERT_TRUE(poll && poll->running.size() == 1);
  EXPECT_EQ(poll->running[0].ref, stuck.ref);
  jobs.order({{}, {stuck.ref}});
  for (int i = 0; i < 1000 && poll && !poll->running.empty(); ++i) poll = jobs.next_poll();
  EXPECT_TRUE(poll && poll->running.empty());
}

}  // namespace
}  // namespace cairn
