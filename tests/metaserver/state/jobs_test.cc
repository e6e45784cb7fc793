// Near-data jobs in the state machine: what is pinned, how it is cut, which results count, and how a job ends.
#include <gmock/gmock.h>

#include <set>

#include "machine.h"
#include "metaserver/state/job_cut.h"
#include "metaserver/state/job_queries.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr ServerId kWorker{1};

class JobsStateTest : public testing::Test {
 protected:
  JobsStateTest() : machine_(3), session_(machine_.open_session()) {}

  InodeId file(const std::string& name, uint64_t length, const ChunkInfo& chunk) {
    const InodeId inode = machine_.make(session_, kRootInode, name).attributes.inode;
    if (length > 0) {
      EXPECT_TRUE(machine_.commit_extent(session_, chunk, inode, 0, length).ok());
    }
    return inode;
  }
  InodeId inline_file(const std::string& name, const std::string& content) {
    const InodeId inode = machine_.make(session_, kRootInode, name).attributes.inode;
    EXPECT_TRUE(machine_.done(session_, Commit{{{inode, {}, content.size(), {1, 2}, content}}, {}}).ok());
    return inode;
  }
  AdmitJob wc(uint32_t inputs) {
    AdmitJob admit;
    admit.job.op = "wc";
    admit.job.inputs = inputs;
    admit.job.task_bytes = kMinTaskBytes;
    return admit;
  }
  JobId submit(AdmitJob admit, const std::vector<InodeId>& inputs) {
    admit.job.inputs = static_cast<uint32_t>(inputs.size());
    const auto job = machine_.call<JobId>(session_, admit);
    EXPECT_TRUE(job.ok()) << (job.ok() ? "" : job.error().what);
    std::vector<JobInput> named;
    for (const InodeId inode : inputs) named.push_back({inode, fmt::format("file{}", raw(inode))});
    EXPECT_TRUE(machine_.done(session_, AddJobInputs{*job, 0, named}).ok());
    return *job;
  }
  // As the planner does; one extent or file, and few extents, at a time: every step stands on its own.
  void plan(JobId job, uint32_t step = 1) {
    while (state(job).phase == JobPhase::planning) {
      const bool pinned = state(job).pinned == record(job).row.inputs;
      ASSERT_TRUE(
          machine_.done({}, pinned ? CommandBody(CutTasks{job, step}) : CommandBody(PinInputs{job, step, step})).ok());
    }
  }
  queries::JobRecord record(JobId job) {
    auto found = queries::job(*machine_.view(), job);
    EXPECT_TRUE(found.ok());
    return found.ok() ? *found : queries::JobRecord{};
  }
  JobStateRow state(JobId job) { return record(job).state; }
  std::vector<queries::TaskRecord> tasks(JobId job) { return *queries::tasks(*machine_.view(), job, 0, 100'000); }
  // The splits of a task, as its worker finds them.
  std::vector<TaskWindow> splits(JobId job, const TaskRow& task) {
    std::vector<TaskWindow> all;
    for (const TaskWindow& window : task.windows) {
      if (task.whole) {
        all.push_back(window);
        continue;
      }
      const auto layout =
          *queries::job_layout(*machine_.view(), job, window.file, window.begin, window.end, kMaxWindowExtents + 1);
      EXPECT_GE(layout.covered_until, window.end) << "one answer for a whole window";
      const auto ranges = *held_ranges(window.begin, window.end, layout.extents, layout.holders);
      for (const HeldRange& range : ranges_of(task.owner, ranges)) all.push_back({window.file, range.begin, range.end});
    }
    return all;
  }
  FinishTask result(JobId job, uint32_t task, std::string partial = "p", uint64_t attempt = 1) {
    return {{job, JobPhase::mapping, task, AttemptId{attempt}},
            kWorker,
            {10, 20, 0, 1, 5},
            {},
            {},
            {},
            std::move(partial),
            {}};
  }
  FinishTask failure(JobId job, uint32_t task, Errc code, ServerId server = kWorker) {
    FinishTask done = result(job, task, "");
    done.server = server;
    done.failure = Error{code, "as the test says"};
    return done;
  }
  TaskVerdict finish(FinishTask done) {
    const auto verdict = machine_.call<TaskVerdict>(session_, std::move(done));
    EXPECT_TRUE(verdict.ok()) << (verdict.ok() ? "" : verdict.error().what);
    return verdict.ok() ? *verdict : TaskVerdict{};
  }
  void map_all(JobId job) {
    for (const auto& task : tasks(job)) EXPECT_EQ(finish(result(job, task.task)), TaskVerdict::accepted);
  }
  void expect_replayed() {
    for (const size_t batch : {size_t{1}, size_t{7}, size_t{1000}})
      EXPECT_EQ(replayed_hash(machine_.log, batch), machine_.hash());
  }

  Machine machine_;
  SessionId session_;
};

TEST_F(JobsStateTest, TheTasksOfAJobTileItsFiles) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  const std::vector<InodeId> inputs = {file("a", 200'000, chunk), file("empty", 0, chunk),
                                       inline_file("small", "one\ntwo\n"), file("b", 5000, chunk)};
  for (const uint32_t step : {1u, 3u, 1000u}) {
    const JobId job = submit(wc(4), inputs);
    plan(job, step);
    EXPECT_EQ(state(job).phase, JobPhase::mapping);
    EXPECT_EQ(state(job).bytes, 205'008u);
    std::map<uint32_t, std::map<uint64_t, uint64_t>> ranges;
    uint64_t bytes = 0;
    for (const auto& task : tasks(job)) {
      uint32_t count = 0;
      uint64_t own = 0;
      for (const TaskWindow& split : splits(job, task.row)) {
        EXPECT_TRUE(ranges[split.file].emplace(split.begin, split.end).second);
        own += split.end - split.begin;
        ++count;
      }
      EXPECT_EQ(count, task.row.splits);
      EXPECT_EQ(own, task.row.bytes);
      EXPECT_LE(task.row.bytes, 3 * kMinTaskBytes);
      bytes += own;
    }
    EXPECT_EQ(bytes, 205'008u) << "step " << step;
    EXPECT_THAT(ranges, SizeIs(3));  // the empty file has none
    for (const auto& [number, of_file] : ranges) {
      uint64_t at = 0;
      for (const auto& [begin, end] : of_file) {
        EXPECT_EQ(begin, at);
        at = end;
      }
      EXPECT_EQ(at, queries::job_file(*machine_.view(), job, number)->size);
    }
    EXPECT_TRUE(machine_.done(session_, CancelJob{job}).ok());
  }
  expect_replayed();
}

TEST_F(JobsStateTest, WhatIsPinnedStaysAsItWasWhateverHappensToTheFile) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  const InodeId inode = file("a", 20'000, chunk);
  const JobId job = submit(wc(1), {inode});
  machine_.wall_ns += kSecond;
  plan(job);
  const auto before = *queries::job_layout(*machine_.view(), job, 0, 0, 20'000, 100);
  ASSERT_TRUE(machine_.commit_extent(session_, chunk, inode, 4000, 9000).ok());
  ASSERT_TRUE(machine_.call<Removed>(session_, RemoveName{kRootInode, "a", false}).ok());
  ASSERT_TRUE(machine_.done(session_, ForgetOrphans{{inode}}).ok());
  const auto after = *queries::job_layout(*machine_.view(), job, 0, 0, 20'000, 100);
  EXPECT_EQ(after.extents, before.extents);
  EXPECT_EQ(after.holders, before.holders);
  ASSERT_THAT(after.chunks, SizeIs(1));
  EXPECT_EQ(queries::changed_inputs(*machine_.view(), job, 10)->count, 1u);
  // The janitor must leave what died since.
  const auto pin = *queries::oldest_pin(*machine_.view());
  ASSERT_TRUE(pin);
  for (const auto& dead : *queries::dead_stripes(*machine_.view(), INT64_MAX - 1, 100)) EXPECT_GE(dead.died_ns, *pin);
  ASSERT_TRUE(machine_.done(session_, CancelJob{job}).ok());
  EXPECT_FALSE(*queries::oldest_pin(*machine_.view()));
  EXPECT_EQ(queries::job_layout(*machine_.view(), job, 0, 0, 1, 1).code(), Errc::stale_handle);
  expect_replayed();
}

TEST_F(JobsStateTest, AnInputThatChangesWhileItIsPinnedIsPinnedAnew) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  const InodeId inode = file("a", 4096, chunk);
  ASSERT_TRUE(machine_.commit_extent(session_, chunk, inode, 10'000, 4096).ok());
  ASSERT_TRUE(machine_.commit_extent(session_, chunk, inode, 20'000, 4096).ok());
  const JobId job = submit(wc(1), {inode});
  ASSERT_TRUE(machine_.done({}, PinInputs{job, 1, 1}).ok());
  ASSERT_TRUE(machine_.done({}, PinInputs{job, 1, 1}).ok());
  ASSERT_TRUE(machine_.commit_extent(session_, chunk, inode, 10'000, 4096).ok());
  plan(job);
  EXPECT_EQ(state(job).pin_restarts, 1u);
  const auto layout = *queries::job_layout(*machine_.view(), job, 0, 0, 30'000, 100);
  EXPECT_EQ(layout.version, machine_.inode(inode).attributes.version);
  EXPECT_EQ(layout.extents, queries::layout(*machine_.view(), inode, 0, 30'000, 100)->extents);
  expect_replayed();
}

TEST_F(JobsStateTest, AnInputThatIsNoneFailsTheJobWithItsName) {
  const InodeId inode = inline_file("a", "x");
  const JobId job = submit(wc(1), {inode});
  ASSERT_TRUE(machine_.call<Removed>(session_, RemoveName{kRootInode, "a", false}).ok());
  plan(job);
  EXPECT_EQ(state(job).phase, JobPhase::failed);
  EXPECT_EQ(state(job).failure->code, Errc::not_found);
  EXPECT_THAT(state(job).failure->what, testing::HasSubstr(fmt::format("file{}", raw(inode))));
  const JobId directory = submit(wc(1), {kRootInode});
  plan(directory);
  EXPECT_EQ(state(directory).failure->code, Errc::invalid);
}

TEST_F(JobsStateTest, InputsComeInPagesAndAPageThatComesTwiceIsTakenOnce) {
  const InodeId inode = inline_file("a", "x");
  const JobId job = *machine_.call<JobId>(session_, wc(3));
  const JobInput input{inode, "a"};
  EXPECT_EQ(machine_.code(session_, AddJobInputs{job, 1, {input}}), Errc::invalid);  // the first is missing
  EXPECT_TRUE(machine_.done(session_, AddJobInputs{job, 0, {input, input}}).ok());
  EXPECT_TRUE(machine_.done(session_, AddJobInputs{job, 0, {input, input}}).ok());
  EXPECT_EQ(machine_.code(session_, AddJobInputs{job, 2, {input, input}}), Errc::invalid);  // too many
  EXPECT_EQ(state(job).phase, JobPhase::receiving);
  EXPECT_TRUE(machine_.done(session_, AddJobInputs{job, 2, {input}}).ok());
  EXPECT_EQ(state(job).phase, JobPhase::planning);
  EXPECT_TRUE(machine_.done(session_, AddJobInputs{job, 2, {input}}).ok());
  EXPECT_EQ(machine_.code(session_, AddJobInputs{JobId{99}, 0, {input}}), Errc::not_found);
}

TEST_F(JobsStateTest, TheFirstResultOfATaskCountsAndTheLastEndsTheJob) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  const JobId job = submit(wc(1), {file("a", 20'000, chunk)});
  EXPECT_EQ(finish(result(job, 0)), TaskVerdict::dropped);  // not there yet
  plan(job);
  const uint32_t count = state(job).tasks;
  ASSERT_EQ(count, 2u);
  EXPECT_EQ(finish(result(job, 0, "first", 7)), TaskVerdict::accepted);
  EXPECT_EQ(finish(result(job, 0, "second", 8)), TaskVerdict::already);
  EXPECT_EQ(*queries::partial(*machine_.view(), job, 0), "first");
  EXPECT_EQ(machine_.code(session_, result(job, count)), Errc::invalid);
  EXPECT_EQ(finish(failure(job, 0, Errc::io)), TaskVerdict::already);  // of an attempt beside the first
  EXPECT_EQ(state(job).phase, JobPhase::mapping);
  EXPECT_EQ(finish(result(job, 1)), TaskVerdict::accepted);
  EXPECT_EQ(state(job).phase, JobPhase::done);
  EXPECT_EQ(state(job).counters.bytes_network, 40u);
  EXPECT_EQ(state(job).result_bytes, 6u);
  EXPECT_THAT(state(job).servers, SizeIs(1));
  EXPECT_EQ(finish(result(job, 1)), TaskVerdict::dropped);  // it is over
  EXPECT_THAT(queries::live_jobs(*machine_.view())->live, IsEmpty());
  expect_replayed();
}

TEST_F(JobsStateTest, FailuresAreTriedAgainButWhatIsWrongWithTheDataFailsTheJobAtOnce) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  const InodeId inode = file("a", 20'000, chunk);
  const JobId unlucky = submit(wc(1), {inode});
  plan(unlucky);
  for (uint32_t i = 1; i < kMaxTaskFailures; ++i) {
    EXPECT_EQ(finish(failure(unlucky, 1, Errc::unavailable, ServerId{i})), TaskVerdict::accepted);
    EXPECT_EQ(state(unlucky).phase, JobPhase::mapping);
  }
  EXPECT_THAT(tasks(unlucky)[1].row.failed_on, ElementsAre(ServerId{1}, ServerId{2}, ServerId{3}));
  EXPECT_EQ(finish(failure(unlucky, 1, Errc::unavailable)), TaskVerdict::accepted);
  EXPECT_EQ(state(unlucky).phase, JobPhase::failed);
  EXPECT_EQ(state(unlucky).failure->code, Errc::unavailable);
  EXPECT_EQ(state(unlucky).failures, kMaxTaskFailures);
  const JobId wrong = submit(wc(1), {inode});
  plan(wrong);
  EXPECT_EQ(finish(failure(wrong, 0, Errc::invalid)), TaskVerdict::accepted);
  EXPECT_EQ(state(wrong).failure->what, "as the test says");
}

TEST_F(JobsStateTest, TheSurveyGivesHeadsAndTheStateOfEverySplit) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  AdmitJob admit = wc(0);
  admit.csv_heads = admit.quote_states = true;
  const std::vector<InodeId> inputs = {file("a", 150'000, chunk), inline_file("b", "h\n\"1\"\n"),
                                       file("c", 9000, chunk)};
  const JobId job = submit(admit, inputs);
  plan(job);
  ASSERT_EQ(state(job).phase, JobPhase::surveying);
  ASSERT_EQ(state(job).to_survey, state(job).tasks);
  // A bit for each split, by its place in the file; and what follows from it.
  const auto odd = [](const TaskWindow& split) { return (split.begin / 512 + split.file) % 3 == 0; };
  std::map<std::pair<uint32_t, uint64_t>, bool> in_order;
  for (const auto& task : tasks(job)) {
    FinishTask done{{job, JobPhase::surveying, task.task, AttemptId{1}}, kWorker, {}, {}, {}, {}, {}, {}};
    const auto own = splits(job, task.row);
    done.odd_quotes.assign((own.size() + 7) / 8, '\0');
    for (size_t i = 0; i < own.size(); ++i) {
      in_order[{own[i].file, own[i].begin}] = odd(own[i]);
      if (odd(own[i])) done.odd_quotes[i / 8] = static_cast<char>(done.odd_quotes[i / 8] | 1 << i % 8);
      if (own[i].begin == 0) done.heads.push_back({own[i].file, "h\n"});
    }
    FinishTask bad = done;
    bad.odd_quotes += "x";
    EXPECT_EQ(machine_.code(session_, bad), Errc::invalid);
    if (!done.heads.empty()) {
      bad = done;
      bad.heads.clear();
      EXPECT_EQ(machine_.code(session_, bad), Errc::invalid);
    }
    bad = done;
    bad.heads.push_back({2, "h\n"});
    bad.heads.push_back({2, "h\n"});
    EXPECT_EQ(machine_.code(session_, bad), Errc::invalid);
    EXPECT_EQ(finish(done), TaskVerdict::accepted);
    EXPECT_EQ(finish(done), TaskVerdict::already);
  }
  ASSERT_EQ(state(job).phase, JobPhase::surveying);  // the states are missing yet
  for (int step = 0; state(job).phase == JobPhase::surveying; ++step) {
    ASSERT_LT(step, 1000);
    ASSERT_TRUE(machine_.done({}, SetQuoteStates{job}).ok());
  }
  ASSERT_EQ(state(job).phase, JobPhase::mapping);
  std::map<std::pair<uint32_t, uint64_t>, bool> expected;
  bool inside = false;
  for (const auto& [at, is_odd] : in_order) {
    if (at.second == 0) inside = false;
    expected[at] = inside;
    inside ^= is_odd;
  }
  for (const auto& task : tasks(job)) {
    const auto own = splits(job, task.row);
    ASSERT_EQ(task.row.states.size(), (own.size() + 7) / 8);
    for (size_t i = 0; i < own.size(); ++i) {
      const bool starts_inside = (static_cast<uint8_t>(task.row.states[i / 8]) >> i % 8 & 1) != 0;
      EXPECT_EQ(starts_inside, (expected[{own[i].file, own[i].begin}])) << own[i].file << " at " << own[i].begin;
    }
  }
  for (const auto& one : *queries::job_files(*machine_.view(), job, 0, 10)) EXPECT_EQ(one.head, "h\n");
  map_all(job);
  EXPECT_EQ(state(job).phase, JobPhase::done);
  expect_replayed();
}

TEST_F(JobsStateTest, WholeFilesGoToTheServerWithMostOfEach) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  AdmitJob admit = wc(0);
  admit.whole_files = true;
  const JobId job = submit(admit, {file("a", 4096 + 100, chunk), inline_file("b", "x"), file("c", 3 * 4096, chunk)});
  plan(job, 1000);
  std::set<uint32_t> seen;
  for (const auto& task : tasks(job)) {
    EXPECT_TRUE(task.row.whole);
    for (const TaskWindow& window : task.row.windows) {
      EXPECT_TRUE(seen.insert(window.file).second);
      EXPECT_EQ(window.begin, 0u);
      EXPECT_EQ(window.end, queries::job_file(*machine_.view(), job, window.file)->size);
      EXPECT_EQ(task.row.owner, window.file == 1 ? ServerId{} : chunk.servers[0]);
    }
  }
  EXPECT_THAT(seen, ElementsAre(0u, 1u, 2u));
}

class JobsOutputTest : public JobsStateTest {
 protected:
  JobId merging(bool replace) {
    AdmitJob admit = wc(1);
    admit.job.output = JobOutput{kRootInode, "out.csv", replace, TableFormat::csv, 0644, 0, 0};
    const JobId job = submit(admit, {inline_file(fmt::format("in{}", machine_.log.size()), "x\n")});
    plan(job);
    map_all(job);
    EXPECT_EQ(state(job).phase, JobPhase::merging);
    return job;
  }
  InodeId hidden(JobId job, uint64_t attempt) {
    EXPECT_EQ(*machine_.call<TaskVerdict>({}, StartMerge{job, AttemptId{attempt}, kWorker}), TaskVerdict::accepted);
    return machine_.make(session_, kRootInode, hidden_name(job, AttemptId{attempt})).attributes.inode;
  }
  FinishJob done(JobId job, uint64_t attempt, InodeId inode) {
    return {{job, JobPhase::merging, 0, AttemptId{attempt}}, kWorker, {}, inode};
  }
  TaskVerdict finish_job(const FinishJob& request) {
    const auto finished = machine_.call<JobFinished>(session_, request);
    EXPECT_TRUE(finished.ok()) << (finished.ok() ? "" : finished.error().what);
    return finished.ok() ? finished->verdict : TaskVerdict{};
  }
};

TEST_F(JobsOutputTest, TheOutputAppearsAndTheJobIsDoneInOneCommand) {
  const JobId job = merging(false);
  const InodeId first = hidden(job, 1), second = hidden(job, 2);
  EXPECT_EQ(machine_.code(session_, done(job, 9, first)), Errc::invalid);   // no such attempt
  EXPECT_EQ(machine_.code(session_, done(job, 1, second)), Errc::invalid);  // another file
  EXPECT_EQ(finish_job(done(job, 2, second)), TaskVerdict::accepted);
  EXPECT_EQ(queries::lookup(*machine_.view(), kRootInode, "out.csv")->attributes.inode, second);
  EXPECT_EQ(state(job).phase, JobPhase::done);
  EXPECT_EQ(state(job).output_inode, second);
  EXPECT_EQ(finish_job(done(job, 2, second)), TaskVerdict::already);  // told twice
  EXPECT_EQ(finish_job(done(job, 1, first)), TaskVerdict::dropped);   // an attempt beside it
  EXPECT_EQ(queries::lookup(*machine_.view(), kRootInode, "out.csv")->attributes.inode, second);
  EXPECT_THAT(state(job).merges, ElementsAre(AttemptId{1}));  // whose file is still there
  expect_replayed();
}

TEST_F(JobsOutputTest, AnOutputThatExistsIsNeverReplacedUnlessThatWasAskedFor) {
  const JobId careful = merging(false);
  const InodeId there = inline_file("out.csv", "precious");
  AdmitJob late = wc(1);
  late.job.output = JobOutput{kRootInode, "out.csv", false, TableFormat::csv, 0644, 0, 0};
  EXPECT_EQ(machine_.code(session_, late), Errc::exists) << "told before anything is done for it";
  EXPECT_EQ(finish_job(done(careful, 1, hidden(careful, 1))), TaskVerdict::dropped);
  EXPECT_EQ(state(careful).phase, JobPhase::failed);
  EXPECT_EQ(state(careful).failure->code, Errc::exists);
  EXPECT_EQ(queries::lookup(*machine_.view(), kRootInode, "out.csv")->attributes.inode, there);
  const JobId replacing = merging(true);
  const InodeId merged = hidden(replacing, 5);
  const auto finished = machine_.call<JobFinished>(session_, done(replacing, 5, merged));
  ASSERT_TRUE(finished.ok());
  EXPECT_EQ(finished->renamed.replaced, there);
  EXPECT_EQ(queries::lookup(*machine_.view(), kRootInode, "out.csv")->attributes.inode, merged);
  // What was replaced is pinned to the worker's session, until it is freed in its name.
  ASSERT_TRUE(queries::attributes(*machine_.view(), there).ok());
  ASSERT_TRUE(machine_.done({}, FreeReplaced{session_, there}).ok());
  EXPECT_EQ(queries::attributes(*machine_.view(), there).code(), Errc::stale_handle);
  expect_replayed();
}

TEST_F(JobsOutputTest, ALostSpooledPartialIsMadeAgain) {
  AdmitJob admit = wc(1);
  admit.job.output = JobOutput{kRootInode, "out.csv", false, TableFormat::csv, 0644, 0, 0};
  const JobId job = submit(admit, {inline_file("in", "x\n")});
  plan(job);
  FinishTask spooled = result(job, 0, "", 3);
  spooled.spooled = SpooledPartial{5'000'000, 1};
  EXPECT_EQ(finish(spooled), TaskVerdict::accepted);
  EXPECT_EQ(state(job).phase, JobPhase::merging);
  EXPECT_TRUE(machine_.done(session_, LostResult{job, 0, AttemptId{2}}).ok());  // of another attempt: nothing
  EXPECT_EQ(state(job).phase, JobPhase::merging);
  EXPECT_TRUE(machine_.done(session_, LostResult{job, 0, AttemptId{3}}).ok());
  EXPECT_EQ(state(job).phase, JobPhase::mapping);
  EXPECT_EQ(state(job).result_bytes, 0u);
  EXPECT_EQ(finish(result(job, 0, "p", 4)), TaskVerdict::accepted);
  EXPECT_EQ(state(job).phase, JobPhase::merging);
}

TEST_F(JobsStateTest, RowsOfAJobThatIsOverAreRemovedInSteps) {
  const ChunkInfo chunk = machine_.open_chunk(session_);
  const InodeId inode = file("a", 20'000, chunk);
  const uint64_t before = machine_.hash();
  (void)before;
  const JobId job = submit(wc(1), {inode});
  EXPECT_EQ(machine_.code({}, RemoveJobRows{job, 10, true}), Errc::invalid);  // it is alive
  plan(job);
  map_all(job);
  ASSERT_TRUE(machine_.done({}, RemoveJobRows{job, 100, false}).ok());
  EXPECT_TRUE(state(job).pins_removed);
  EXPECT_EQ(*queries::partial(*machine_.view(), job, 0), "p");  // results stay
  for (int step = 0; queries::job(*machine_.view(), job).ok(); ++step) {
    ASSERT_LT(step, 100);
    ASSERT_TRUE(machine_.done({}, RemoveJobRows{job, 1, true}).ok());
  }
  for (const Table table : {Table::job, Table::job_state, Table::job_file, Table::job_extent, Table::job_chunk,
                            Table::job_task, Table::job_result}) {
    ASSERT_TRUE(machine_.view()
                    ->scan(keys::first(table), keys::last(table),
                           [&](std::string_view, std::string_view) {
                             ADD_FAILURE() << "a row of table " << static_cast<char>(table) << " is left";
                             return true;
                           })
                    .ok());
  }
  expect_replayed();
}

TEST_F(JobsStateTest, TooManyJobsAtOnceAreRefused) {
  std::vector<JobId> jobs;
  for (uint32_t i = 0; i < kMaxLiveJobs; ++i) jobs.push_back(*machine_.call<JobId>(session_, wc(1)));
  EXPECT_EQ(machine_.code(session_, wc(1)), Errc::too_big);
  EXPECT_TRUE(machine_.done(session_, CancelJob{jobs[5]}).ok());
  EXPECT_TRUE(machine_.call<JobId>(session_, wc(1)).ok());
  expect_replayed();
}

TEST(JobCutterTest, ManySmallFilesShareATask) {
  JobCutter cutter(1000, {});
  uint32_t file = 0;
  for (; cutter.room() > 0; ++file) {
    const std::vector<HeldRange> ranges = {{0, 100, ServerId{1 + file % 2}}};
    cutter.add({file, 0, 100}, ranges);
  }
  EXPECT_EQ(file, 20u);  // two servers of 1000 bytes each
  const auto tasks = cutter.take();
  ASSERT_THAT(tasks, SizeIs(2));
  EXPECT_THAT(tasks[0].windows, SizeIs(10));
  EXPECT_EQ(tasks[0].bytes_owned, 1000u);
  EXPECT_TRUE(tasks[0].begins_file);
  EXPECT_GT(cutter.room(), 0u);
}

TEST(JobCutterTest, NoTaskHasMoreWindowsThanWorkersTake) {
  JobCutter cutter(kMaxTaskBytes, {});
  const std::vector<HeldRange> ranges = {{0, 1, ServerId{}}};
  uint32_t file = 0;
  for (; cutter.room() > 0; ++file) cutter.add({file, 0, 1}, ranges);
  EXPECT_EQ(file, kMaxTaskWindows);
}

}  // namespace
}  // namespace cairn
