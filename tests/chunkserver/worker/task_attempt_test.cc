#include "chunkserver/worker/task_attempt.h"

#include <gtest/gtest.h>

#include "chunkserver/worker/service.h"
#include "client/jobs/job_results.h"
#include "common/programs/sandboxed_runner.h"
#include "tests/chunkserver/worker/fake_jobs.h"
#include "tests/chunkserver/worker/near_fixture.h"
#include "tests/tasks/cuts.h"

namespace cairn {
namespace {

using test::FakeJobs;
using test::NearFixture;

// A job over two texts: the first lies in stripes, whose shard 0 is on our disk; the second is inline.
class TaskAttemptTest : public ::testing::Test {
 protected:
  static constexpr TaskRef kRef{JobId{3}, JobPhase::mapping, 0, AttemptId{9}};

  void begin(const std::string& op, const tasks::Arguments& arguments, std::vector<std::string> contents) {
    texts = std::move(contents);
    // The fixture writes bytes of its own; ours take their place in what it writes.
    f.content = [this](size_t at) { return at < texts[0].size() ? static_cast<uint8_t>(texts[0][at]) : uint8_t{0}; };
    f.write(texts[0].size() / (4 * NearFixture::kCell) + 1);
    jobs.about.phase = JobPhase::mapping;
    jobs.about.op = op;
    jobs.about.arguments = arguments;
    job = tasks::job_of(op, arguments, texts);
    for (const tasks::InputFile& file : job.files)
      jobs.about.files.push_back({InodeId{5}, file.name, 1, file.size, file.head});
    jobs.about.inputs = static_cast<uint32_t>(job.files.size());
    const std::vector<ServerId> data(f.memory.chunk.servers.begin(), f.memory.chunk.servers.begin() + 4);
    JobLayout striped{
        1,  texts[0].size(), {f.run.part(0, texts[0].size())}, {f.memory.chunk}, {{f.memory.chunk.chunk, data}},
        {}, texts[0].size()};
    jobs.layouts = {striped, {1, texts[1].size(), {}, {}, {}, texts[1], texts[1].size()}};
    ASSERT_TRUE(jobs.start().ok());
    meta = std::make_unique<MetaClient>(real_network(), real_clock(), jobs.address());
    cache = std::make_unique<JobCache>(*meta, programs);
  }
  FinishTask run(Assignment assignment) {
    const AttemptParts parts{
        real_network(),     metaserver,        *meta,           *cache,  f.memory.clock, real_disk(),
        f.directory.path(), NearFixture::kOwn, f.memory.shards, counted, spool};
    return make_attempt(parts, std::move(assignment))->run();
  }
  Assignment everything_of(uint32_t owner) {
    return {kRef, ServerId{owner}, false, {{0, 0, texts[0].size()}, {1, 0, texts[1].size()}}, {}, {}, {}};
  }
  std::string answer_of(std::vector<FinishTask> finished) {
    const auto op = *tasks::make_operator(job);
    const auto all = op->empty();
    for (const FinishTask& one : finished) {
      EXPECT_FALSE(one.failure) << one.failure->what;
      auto partial = tasks::decode_partial(*op, one.partial);
      EXPECT_TRUE(partial.ok());
      EXPECT_TRUE(all->merge(**partial).ok());
    }
    const auto table = all->finish();
    return table.ok() ? to_csv(*table) : "error: " + table.error().what;
  }
  std::string expected() { return tasks::answer_whole(**tasks::make_operator(job), texts); }

  std::vector<std::string> texts;
  tasks::Job job;
  NearFixture f;
  FakeJobs jobs;
  Address metaserver;
  CountingNetwork counted{real_network()};
  std::unique_ptr<MetaClient> meta;
  programs::SandboxedRunner programs;
  std::unique_ptr<JobCache> cache;
  Spool spool{real_disk(), f.directory.path()};
};

std::string words(size_t bytes) {
  Random random(5);
  std::string text;
  while (text.size() < bytes) text += std::string(random.between(1, 9), 'w') + (random.one_in(7) ? "\n" : " ");
  return text;
}
std::string csv(size_t bytes) {
  Random random(6);
  std::string text = "a,\"b\nc\"\r\n";
  while (text.size() < bytes)
    text += std::to_string(random.below(1000)) + (random.one_in(3) ? ",\"x\n1,\"\"2\"\n" : ",y\r\n");
  return text;
}

TEST_F(TaskAttemptTest, TheTasksOfAllOwnersTogetherGiveTheTable) {
  begin("wc", {}, {words(150'000), "a few words"});
  std::vector<FinishTask> finished;
  for (uint32_t owner = 0; owner <= 4; ++owner) finished.push_back(run(everything_of(owner)));
  EXPECT_EQ(answer_of(finished), expected());
  EXPECT_EQ(cache->view(kRef.job, JobPhase::mapping).ok(), true);
  EXPECT_EQ(jobs.descriptions, 2) << "one for each file, for all attempts";
}

TEST_F(TaskAttemptTest, AReadGoesOverItsSplitsAgainAndAgain) {
  begin("read", {{"times", "3,2"}, {"cold", "true"}}, {words(150'000), "a few words"});
  const FinishTask own = run(everything_of(1));
  EXPECT_EQ(f.memory.shards.counts().reads, 0u) << "from our disk alone";
  EXPECT_GT(own.counters.bytes_local, 3 * 150'000u / 4);
  EXPECT_EQ(own.outputs.size(), 0u);
  std::vector<FinishTask> finished = {own};
  for (const uint32_t owner : {0u, 2u, 3u, 4u}) finished.push_back(run(everything_of(owner)));
  const std::string table = answer_of(finished);
  EXPECT_NE(table.find(fmt::format("f0,,3,0,{},", 3 * texts[0].size())), std::string::npos) << table;
  EXPECT_NE(table.find("f1,,2,0,22,"), std::string::npos) << table;
}

TEST_F(TaskAttemptTest, OurOwnCellsAreReadFromTheDiskAlone) {
  begin("wc", {}, {words(150'000), ""});
  const FinishTask own = run(everything_of(1));
  ASSERT_FALSE(own.failure);
  EXPECT_EQ(f.memory.shards.counts().reads, 0u);
  EXPECT_GT(own.counters.bytes_local, 150'000u / 4);
  EXPECT_EQ(own.counters.bytes_sent, own.partial.size());
  EXPECT_EQ(own.counters.bytes_decoded, 0u);
}

TEST_F(TaskAttemptTest, ADeadOwnersTaskIsTheSameMadeByAnother) {
  begin("grep", {{"pattern", "ww w"}, {"count", "true"}}, {words(150'000), "ww www\n"});
  const FinishTask before = run(everything_of(2));
  f.memory.shards.kill(ServerId{2});
  const FinishTask after = run(everything_of(2));
  EXPECT_EQ(after.partial, before.partial);
  EXPECT_GT(after.counters.bytes_decoded, 30'000u);
}

TEST_F(TaskAttemptTest, PagesOfTheLayoutAreJoined) {
  begin("wc", {}, {words(150'000), ""});
  jobs.layouts[0].extents.clear();
  for (uint64_t at = 0; at < texts[0].size(); at += 10'000)
    jobs.layouts[0].extents.push_back(f.run.part(at, std::min<uint64_t>(at + 10'000, texts[0].size())));
  jobs.extents_of_a_page = 2;
  std::vector<FinishTask> finished;
  for (uint32_t owner = 0; owner <= 4; ++owner) finished.push_back(run(everything_of(owner)));
  EXPECT_EQ(answer_of(finished), expected());
}

TEST_F(TaskAttemptTest, WholeFilesAreReadWherEverTheirBytesLie) {
  begin("checksum", {{"algorithm", "sha256"}}, {words(150'000), "inline"});
  Assignment whole = everything_of(1);
  whole.whole = true;
  EXPECT_EQ(answer_of({run(whole)}), expected());
}

TEST_F(TaskAttemptTest, ASurveyGivesHeadsAndStatesThatTheMapNeeds) {
  begin("stats", {{"column", "a"}}, {csv(150'000), csv(900)});
  jobs.about.phase = JobPhase::surveying;
  std::vector<JobFile> without_heads = jobs.about.files;
  for (JobFile& file : without_heads) file.head.clear();
  std::swap(jobs.about.files, without_heads);
  std::vector<FinishTask> surveyed;
  for (uint32_t owner = 0; owner <= 4; ++owner) {
    Assignment assignment = everything_of(owner);
    assignment.ref.phase = JobPhase::surveying;
    surveyed.push_back(run(assignment));
    ASSERT_FALSE(surveyed.back().failure) << surveyed.back().failure->what;
  }
  std::swap(jobs.about.files, without_heads);
  jobs.about.phase = JobPhase::mapping;
  // Owner 1 has the first cell, owner 0 the inline file.
  ASSERT_EQ(surveyed[1].heads.size(), 1u);
  EXPECT_EQ(surveyed[1].heads[0].text, job.files[0].head);
  ASSERT_EQ(surveyed[0].heads.size(), 1u);
  EXPECT_EQ(surveyed[0].heads[0].file, 1u);
  EXPECT_EQ(surveyed[0].heads[0].text, job.files[1].head);
  // The states, as the metaserver finds them: split i of owner o is cell o of stripe i.
  std::vector<std::string> states(5, std::string(16, '\0'));
  bool inside = false;
  const size_t cells = (texts[0].size() + NearFixture::kCell - 1) / NearFixture::kCell;
  for (size_t cell = 0; cell < cells; ++cell) {
    const size_t owner = cell % 4 + 1, i = cell / 4;
    if (inside) states[owner][i / 8] = static_cast<char>(states[owner][i / 8] | 1 << (i % 8));
    inside ^= (surveyed[owner].odd_quotes.at(i / 8) >> (i % 8) & 1) != 0;
  }
  EXPECT_FALSE(inside);
  std::vector<FinishTask> mapped;
  for (uint32_t owner = 0; owner <= 4; ++owner) {
    Assignment assignment = everything_of(owner);
    assignment.states = states[owner];
    mapped.push_back(run(assignment));
  }
  EXPECT_EQ(answer_of(mapped), expected());
}

// The tasks of all owners, whose runs a worker keeps, and their merge over the network.
class SortedTaskTest : public TaskAttemptTest {
 protected:
  void sort(const std::string& memory, std::vector<std::string> contents) {
    begin("sort", {{"memory", memory}}, std::move(contents));
    ASSERT_TRUE(spool.open().ok());
    ASSERT_TRUE(keeper.start({"127.0.0.1", 0}).ok());
    for (uint32_t owner = 0; owner <= 4; ++owner) {
      Assignment assignment = everything_of(owner);
      assignment.ref.task = owner;
      const FinishTask finish = run(assignment);
      ASSERT_FALSE(finish.failure) << finish.failure->what;
      ASSERT_TRUE(finish.spooled && finish.partial.empty());
      jobs.results.push_back({owner, {}, finish.spooled, ServerId{1}, keeper.address(), kRef.attempt});
    }
  }
  Result<std::string> merge(const std::function<void()>& meanwhile = {}) {
    ASSIGN(const auto view, cache->view(kRef.job, JobPhase::mapping));
    MergeHooks hooks;
    hooks.patience = 0s;
    std::string text;
    const auto sink = [&](std::string_view piece) {
      text += piece;
      if (meanwhile) meanwhile();
      return Status();
    };
    TRY(merge_results({*meta, real_network(), real_clock()}, kRef.job, *view, TableFormat::csv, sink, hooks));
    return text;
  }

  RpcServer keeper{real_network(), real_clock(), worker_processors(spool), kWorkerRpcLimits};
};

TEST_F(SortedTaskTest, RunsAreKeptByWorkersAndMergedAsAStream) {
  sort("64K", {words(1'500'000), "a few words"});
  const auto merged = merge();
  ASSERT_TRUE(merged.ok()) << merged.error().what;
  EXPECT_TRUE(*merged == expected());
}

TEST_F(SortedTaskTest, ARunThatIsLostWhileItIsReadIsMadeAgain) {
  sort("64M", {words(16'000'000), "a few words"});  // several pieces of each run
  bool lost = false;
  const auto merged = merge([&] {
    if (!std::exchange(lost, true)) spool.forget(kRef.job);
  });
  EXPECT_EQ(merged.code(), Errc::busy);
  ASSERT_FALSE(jobs.lost().empty());
}

TEST_F(TaskAttemptTest, AMissingColumnIsAnErrorThatEveryAttemptFinds) {
  begin("stats", {{"column", "a"}}, {csv(1000), csv(100)});
  jobs.about.arguments["column"] = "z";
  const FinishTask finish = run(everything_of(1));
  ASSERT_TRUE(finish.failure);
  EXPECT_EQ(finish.failure->code, Errc::invalid);
  EXPECT_NE(finish.failure->what.find("has no column \"z\""), std::string::npos) << finish.failure->what;
  EXPECT_TRUE(finish.partial.empty());
}

TEST_F(TaskAttemptTest, WithTooFewShardsItIsAnErrorThatNamesTheFile) {
  begin("wc", {}, {words(150'000), ""});
  for (uint32_t server = 2; server <= 4; ++server) f.memory.shards.kill(ServerId{server});
  const FinishTask finish = run(everything_of(3));
  ASSERT_TRUE(finish.failure);
  EXPECT_EQ(finish.failure->code, Errc::io);
  EXPECT_NE(finish.failure->what.find("f0: bytes "), std::string::npos) << finish.failure->what;
}

TEST_F(TaskAttemptTest, ACancelledAttemptEnds) {
  begin("wc", {}, {words(150'000), ""});
  const AttemptParts parts{real_network(),     metaserver,        *meta,           *cache,  f.memory.clock, real_disk(),
                           f.directory.path(), NearFixture::kOwn, f.memory.shards, counted, spool};
  const auto attempt = make_attempt(parts, everything_of(1));
  attempt->cancel();
  EXPECT_EQ(attempt->run().failure->code, Errc::interrupted);
}

}  // namespace
}  // namespace cairn
