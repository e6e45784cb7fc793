// Results that workers keep, put together: which of them are lost, and that no other is made again.
#include <gmock/gmock.h>

#include "chunkserver/worker/service.h"
#include "chunkserver/worker/spool.h"
#include "client/jobs/job_results.h"
#include "common/tasks/registry.h"
#include "tests/chunkserver/support.h"
#include "tests/chunkserver/worker/fake_jobs.h"
#include "tests/tasks/cuts.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr JobId kJob{3};
constexpr ServerId kHere{1}, kGone{2};

// wc over a text in four tasks, whose partials are spooled.
class MergeResultsTest : public testing::Test {
 protected:
  MergeResultsTest() : worker_(real_network(), real_clock(), worker_processors(spool_), kWorkerRpcLimits) {
    EXPECT_TRUE(spool_.open().ok());
    EXPECT_TRUE(worker_.start({"127.0.0.1", 0}).ok());
    view_.op = *tasks::make_operator(job_);
    for (uint32_t task = 0; task < 4; ++task) {
      const auto partial = view_.op->empty();
      EXPECT_TRUE(tasks::map_text(*partial, {0, task * 2, task * 2 + 2}, text_, 1000).ok());
      const auto spooled = spool_.put(ref(task), tasks::encode_partial(*view_.op, *partial));
      EXPECT_TRUE(spooled.ok());
      jobs_.results.push_back({task, {}, *spooled, kHere, worker_.address(), AttemptId{9}});
    }
    EXPECT_TRUE(jobs_.start().ok());
    meta_ = std::make_unique<MetaClient>(real_network(), real_clock(), jobs_.address());
  }
  static TaskRef ref(uint32_t task) { return {kJob, JobPhase::mapping, task, AttemptId{9}}; }
  Result<std::string> merge() {
    MergeHooks hooks;
    hooks.patience = 0s;
    std::string text;
    const auto sink = [&](std::string_view piece) {
      text += piece;
      return Status();
    };
    TRY(merge_results({*meta_, real_network(), real_clock()}, kJob, view_, TableFormat::csv, sink, hooks));
    return text;
  }
  std::vector<uint32_t> lost() {
    std::vector<uint32_t> tasks;
    for (const LostResult& one : jobs_.lost()) tasks.push_back(one.task);
    return tasks;
  }

  const std::string text_ = "a\nb\nc\nd\n";
  const tasks::Job job_ = tasks::job_of("wc", {}, {text_});
  test::TemporaryDirectory directory_;
  Spool spool_{real_disk(), directory_.path()};
  RpcServer worker_;
  test::FakeJobs jobs_;
  std::unique_ptr<MetaClient> meta_;
  JobView view_;
};

TEST_F(MergeResultsTest, AllThatIsKeptGivesTheTable) {
  const auto table = merge();
  ASSERT_TRUE(table.ok()) << table.error().what;
  EXPECT_EQ(*table, tasks::answer_whole(*view_.op, {text_}));
  EXPECT_THAT(lost(), IsEmpty());
}

TEST_F(MergeResultsTest, OfAWorkerThatIsGoneAllIsLostAndOfOthersNothing) {
  for (const uint32_t task : {1u, 3u}) {
    jobs_.results[task].server = kGone;
    jobs_.results[task].results = {"127.0.0.1", 1};
  }
  EXPECT_EQ(merge().code(), Errc::busy);
  EXPECT_THAT(lost(), ElementsAre(1, 3));
}

TEST_F(MergeResultsTest, WhatAWorkerDoesNotHaveAnyMoreIsLostAtOnce) {
  jobs_.results[2].attempt = AttemptId{8};
  EXPECT_EQ(merge().code(), Errc::busy);
  EXPECT_THAT(lost(), ElementsAre(2));
}

}  // namespace
}  // namespace cairn
