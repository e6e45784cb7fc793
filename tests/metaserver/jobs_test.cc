// Near-data jobs from submission to the table: a whole metaserver over loopback, with its real log and RocksDB, and
// workers of the test that map bytes which the test holds.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>

#include "common/base/random.h"
#include "common/base/thread.h"
#include "common/tasks/registry.h"
#include "metaserver/state/job_rows.h"
#include "tests/metaserver/fake_worker.h"
#include "tests/metaserver/metaserver_fixture.h"

namespace cairn {
namespace {

using test::Contents;
using test::FakeWorker;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint32_t kServers = 4;
constexpr uint32_t kCell = 4096;
const Code kCode{2, 1};

class JobsTest : public test::MetaserverFixture {
 protected:
  void SetUp() override {
    options_.default_class.policy = kCode;
    options_.default_class.cell_bytes = kCell;
    options_.job_worker_timeout = 500ms;
    options_.job_reclaim = 0s;
    options_.housekeeping = 20ms;
    start();
    // Not a mount: it holds no leases, so nobody waits for it.
    writer_ = client();
    heartbeats(*writer_, kServers);
    const auto chunks = writer_->grant_chunks({kDefaultClass, 3, {}});
    ASSERT_TRUE(chunks.ok()) << chunks.error().what;
    chunks_ = *chunks;
    for (uint32_t i = 1; i <= 3; ++i) add_worker(i);
  }
  void TearDown() override {
    workers_.clear();
    writer_.reset();
    crash();
  }
  void restart() {
    crash();
    start();
    heartbeats(*writer_, kServers);
  }
  FakeWorker& add_worker(uint32_t server) {
    return *workers_.emplace_back(std::make_unique<FakeWorker>(address_, ServerId{server}, contents_, ++nonce_));
  }

  InodeId make(const std::string& name, const std::string& content) {
    const auto entry = writer_->make_node({kRootInode, name, S_IFREG | 0644, 0, 0, 0, {}});
    EXPECT_TRUE(entry.ok()) << (entry.ok() ? "" : entry.error().what);
    write(entry->attributes.inode, content);
    return entry->attributes.inode;
  }
  // The whole content: inline, or as one run of stripes in one of the chunks.
  void write(InodeId inode, const std::string& content) {
    contents_[inode] = content;
    if (content.size() <= kMaxInlineBytes) {
      const auto done = writer_->commit({{{inode, {}, content.size(), {1, 0}, content}}, {}});
      ASSERT_TRUE(done.ok()) << done.error().what;
      return;
    }
    ChunkInfo& chunk = chunks_[next_chunk_++ % chunks_.size()];
    Extent extent{0, content.size(), chunk.chunk, chunk.committed, 0, {kCode, kCell, 4096, 0}};
    extent.shape.present = extent.shape.all_present();
    const uint64_t stripes = (content.size() - 1) / extent.shape.data_bytes() + 1;
    const uint64_t end = chunk.committed + stripes * extent.shape.stride();
    const auto done = writer_->commit(
        {{{inode, {extent}, content.size(), {1, 0}, {}}}, {{chunk.chunk, chunk.writer_epoch, chunk.committed, end}}});
    ASSERT_TRUE(done.ok()) << done.error().what;
    chunk.committed = end;
  }
  static std::string csv(uint64_t seed, int rows) {
    Random random(seed);
    std::string text = "city,amount\n";
    for (int i = 0; i < rows; ++i)
      text += random.one_in(3) ? fmt::format("\"a, \"\"{}\"\"\nb\",{}\n", random.below(5), random.below(1000))
                               : fmt::format("c{},{}\n", random.below(5), random.below(1000));
    return text;
  }

  SubmitJob stats(size_t inputs) {
    SubmitJob job;
    job.op = "stats";
    job.arguments = {{"column", "amount"}, {"group-by", "city"}};
    job.inputs = static_cast<uint32_t>(inputs);
    job.task_bytes = kMinTaskBytes;
    return job;
  }
  SubmitJob wc(size_t inputs) {
    SubmitJob job = stats(inputs);
    job.op = "wc";
    job.arguments.clear();
    return job;
  }
  static JobOutput output(bool replace = false) {
    return {kRootInode, "out.csv", replace, TableFormat::csv, 0640, 0, 0};
  }
  JobId submit(const SubmitJob& job) {
    const auto id = writer_->submit_job(job);
    EXPECT_TRUE(id.ok()) << (id.ok() ? "" : id.error().what);
    return id.ok() ? *id : JobId{};
  }
  void tell(JobId job, const std::vector<InodeId>& inodes) {
    std::vector<JobInput> inputs;
    for (const InodeId inode : inodes) inputs.push_back({inode, fmt::format("file{}", raw(inode))});
    const Status told = writer_->add_job_inputs({job, 0, inputs});
    ASSERT_TRUE(told.ok()) << told.error().what;
  }
  JobStatus status(JobId job) {
    const auto found = writer_->job_status(job);
    EXPECT_TRUE(found.ok()) << (found.ok() ? "" : found.error().what);
    return found.ok() ? *found : JobStatus{};
  }
  // Waits by asking, with a deadline.
  template <typename Done>
  void until(const Done& done, const char* what, uint32_t slots = 0) {
    const Instant deadline = real_clock().now() + 20s;
    while (!done()) {
      ASSERT_LT(real_clock().now(), deadline) << what;
      for (const auto& worker : workers_) worker->poll(5ms, slots);
    }
  }
  void until_phase(JobId job, JobPhase phase) {
    until([&] { return status(job).phase == phase; }, name_of(phase));
  }
  // All workers work until the job is over, or in this phase. between() is called after each result.
  template <typename Between>
  void work(JobId job, JobPhase phase, const Between& between) {
    const Instant deadline = real_clock().now() + 30s;
    while (true) {
      const JobPhase now = status(job).phase;
      if (is_over(now) || now >= phase) return;
      ASSERT_LT(real_clock().now(), deadline) << "still " << name_of(now) << ": " << status(job).waiting;
      for (const auto& worker : workers_) {
        if (worker->poll() == 0) continue;
        const auto verdict = worker->work();
        ASSERT_TRUE(verdict.ok()) << verdict.error().what;
        between();
      }
    }
  }
  void work(JobId job, JobPhase phase = JobPhase::done) {
    work(job, phase, [] {});
  }
  // The table of one process over the same bytes.
  std::string expected(const SubmitJob& submitted, const std::vector<InodeId>& inodes) {
    tasks::Job job{submitted.op, submitted.arguments, {}};
    for (const InodeId inode : inodes) {
      const std::string& content = contents_.at(inode);
      const std::string head = submitted.op == "stats" ? std::string(*tasks::first_csv_record(content, true)) : "";
      job.files.push_back({fmt::format("file{}", raw(inode)), content.size(), head});
    }
    const auto op = tasks::make_operator(job).value();
    const auto partial = op->empty();
    for (uint32_t i = 0; i < inodes.size(); ++i)
      EXPECT_TRUE(
          tasks::map_text(*partial, {i, 0, job.files[i].size}, contents_.at(inodes[i]), FakeWorker::kPieceBytes).ok());
    return tasks::to_csv(partial->finish().value());
  }
  std::string content_of(const std::string& name) {
    const auto entry = writer_->lookup(kRootInode, name);
    if (!entry.ok()) return "(none: " + entry.error().what + ")";
    const auto layout = writer_->layout(entry->attributes.inode, 0, 1 << 20, 10);
    return layout.ok() && layout->inline_data ? *layout->inline_data : "(unreadable)";
  }
  std::vector<std::string> hidden_files() {
    std::vector<std::string> found;
    for (const Entry& entry : writer_->read_directory(kRootInode, 0, 4096)->entries) {
      if (entry.name.starts_with(".cairn-job-")) found.push_back(entry.name);
    }
    return found;
  }

  std::unique_ptr<MetaClient> writer_;
  std::vector<ChunkInfo> chunks_;
  size_t next_chunk_ = 0;
  Contents contents_;
  std::vector<std::unique_ptr<FakeWorker>> workers_;
};

TEST_F(JobsTest, TheTableIsThatOfOneProcess) {
  const std::vector<InodeId> inputs = {make("a", csv(1, 20'000)), make("b", csv(2, 20)), make("c", csv(3, 30'000))};
  const JobId job = submit(stats(3));
  EXPECT_EQ(status(job).phase, JobPhase::receiving);
  tell(job, inputs);
  work(job);
  const JobStatus done = status(job);
  ASSERT_EQ(done.phase, JobPhase::done) << (done.failure ? done.failure->what : "");
  EXPECT_EQ(*workers_[0]->merged_table(job), expected(stats(3), inputs));
  EXPECT_EQ(done.bytes, done.bytes_done);
  ASSERT_THAT(done.phases, SizeIs(2));
  EXPECT_EQ(done.phases[0].done, done.phases[0].tasks);
  EXPECT_EQ(done.phases[1].done, done.phases[1].tasks);
  EXPECT_GT(done.phases[1].tasks, 3u);
  EXPECT_EQ(done.counters.bytes_local, done.phases[0].tasks + done.phases[1].tasks);
  EXPECT_THAT(done.changed, IsEmpty());
  const auto plan = writer_->job_plan(job, 0, 1000);
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->tasks, SizeIs(done.phases[1].tasks));
  uint64_t bytes = 0;
  for (const TaskInfo& task : plan->tasks) bytes += task.bytes;
  EXPECT_EQ(bytes, done.bytes);
  EXPECT_THAT(writer_->list_jobs(JobId{}, 10)->jobs, SizeIs(1));
}

TEST_F(JobsTest, TasksLieWhereTheirBytesDo) {
  for (uint32_t i = 4; i <= kServers; ++i) add_worker(i);
  for (const auto& worker : workers_) worker->poll(0ms, 8);  // they are known before the job is
  const JobId job = submit(wc(1));
  tell(job, {make("a", std::string(900'000, 'x'))});
  size_t given = 0;
  until(
      [&] {
        for (const auto& worker : workers_) {
          worker->poll(5ms, 8);
          for (const Assignment& one : worker->assigned) EXPECT_EQ(one.owner, worker->server());
          given += worker->assigned.size();
          while (!worker->assigned.empty()) EXPECT_TRUE(worker->work().ok());
        }
        return is_over(status(job).phase);
      },
      "the job is done", 8);
  EXPECT_EQ(status(job).phase, JobPhase::done);
  EXPECT_EQ(given, status(job).phases.back().tasks);
}

TEST_F(JobsTest, AResultThatIsToldTwiceCountsOnce) {
  const std::vector<InodeId> inputs = {make("a", csv(1, 5000))};
  const JobId job = submit(wc(1));
  tell(job, inputs);
  until_phase(job, JobPhase::mapping);
  std::vector<FinishTask> told;
  FakeWorker& worker = *workers_[0];
  const Instant deadline = real_clock().now() + 20s;
  while (status(job).phase == JobPhase::mapping) {
    ASSERT_LT(real_clock().now(), deadline);
    for (const auto& one : workers_) {
      if (one->poll() == 0) continue;
      told.push_back(one->result_of(one->assigned.front()).value());
      const bool last = status(job).phases.back().done + 1 == status(job).phases.back().tasks;
      EXPECT_EQ(*one->meta().finish_task(told.back()), TaskVerdict::accepted);
      EXPECT_EQ(*worker.meta().finish_task(told.back()), last ? TaskVerdict::dropped : TaskVerdict::already);
      one->assigned.erase(one->assigned.begin());
    }
  }
  for (const FinishTask& again : told) EXPECT_EQ(*worker.meta().finish_task(again), TaskVerdict::dropped);
  EXPECT_EQ(*worker.merged_table(job), expected(wc(1), inputs));
}

TEST_F(JobsTest, AWorkerThatIsLostHasItsTasksDoneByOthers) {
  const std::vector<InodeId> inputs = {make("a", csv(1, 20'000))};
  const JobId job = submit(wc(1));
  tell(job, inputs);
  until_phase(job, JobPhase::mapping);
  for (size_t i = 0; i < 2; ++i) {
    until([&] { return workers_[0]->poll() + workers_[1]->poll() > 0; }, "an assignment");
  }
  ASSERT_TRUE(workers_[0]->meta().close_session().ok());   // one says so
  workers_.erase(workers_.begin(), workers_.begin() + 2);  // the other is just gone
  add_worker(4);
  work(job);
  ASSERT_EQ(status(job).phase, JobPhase::done);
  EXPECT_EQ(*workers_[0]->merged_table(job), expected(wc(1), inputs));
}

TEST_F(JobsTest, RestartsLoseNothingInAnyPhase) {
  const std::vector<InodeId> inputs = {make("a", csv(1, 9000)), make("b", csv(2, 12'000))};
  SubmitJob submitted = stats(2);
  submitted.output = output();
  const JobId job = submit(submitted);
  restart();
  ASSERT_TRUE(writer_->add_job_inputs({job, 0, {{inputs[0], fmt::format("file{}", raw(inputs[0]))}}}).ok());
  restart();
  EXPECT_EQ(status(job).phase, JobPhase::receiving);
  ASSERT_TRUE(writer_->add_job_inputs({job, 1, {{inputs[1], fmt::format("file{}", raw(inputs[1]))}}}).ok());
  restart();  // in the middle of planning, or behind it
  int results = 0;
  work(job, JobPhase::done, [&] {
    if (++results % 3 == 0) restart();
  });
  const JobStatus done = status(job);
  ASSERT_EQ(done.phase, JobPhase::done) << (done.failure ? done.failure->what : "");
  EXPECT_GT(results, 9);
  restart();
  EXPECT_EQ(status(job).phase, JobPhase::done);
  EXPECT_EQ(content_of("out.csv"), expected(submitted, inputs));
  until([&] { return hidden_files().empty(); }, "hidden files go");
}

TEST_F(JobsTest, WorkersThatGoOnAfterARestartKeepTheirAttempts) {
  options_.job_reclaim = 60s;
  options_.job_worker_timeout = 60s;
  const JobId job = submit(wc(1));
  tell(job, {make("a", std::string(100'000, 'x'))});
  until_phase(job, JobPhase::mapping);
  restart();
  // Nothing of earlier jobs is given out by a run that does not yet know what the workers run; its own may begin.
  EXPECT_EQ(workers_[0]->poll(), 0u);
  const JobId later = submit(wc(1));
  tell(later, {make("b", std::string(1000, 'x'))});
  until([&] { return workers_[0]->poll() > 0; }, "an assignment of the new job");
  EXPECT_EQ(workers_[0]->assigned.front().ref.job, later);
  work(later);
  options_.job_reclaim = 0s;
  restart();
  until([&] { return workers_[0]->poll() > 0; }, "an assignment");
  const TaskRef running = workers_[0]->assigned.front().ref;
  restart();
  until([&] { return workers_[0]->poll() > 0 && status(job).phases.back().running > 0; }, "the attempt is known again");
  EXPECT_EQ(workers_[0]->assigned.front().ref, running);
  EXPECT_THAT(workers_[0]->dropped, IsEmpty());
  work(job);
  EXPECT_EQ(status(job).phase, JobPhase::done);
}

TEST_F(JobsTest, InputsArePinnedWhenAllAreToldAndLaterChangesAreReported) {
  const InodeId inode = make("a", csv(1, 5000));
  const JobId job = submit(wc(1));
  write(inode, csv(2, 6000));  // between submission and planning: this is what counts
  tell(job, {inode});
  until_phase(job, JobPhase::mapping);
  const std::string table = expected(wc(1), {inode});
  const Contents pinned = contents_;
  write(inode, csv(3, 100));
  contents_ = pinned;
  work(job);
  EXPECT_EQ(*workers_[0]->merged_table(job), table);
  EXPECT_THAT(status(job).changed, ElementsAre(fmt::format("file{}", raw(inode))));
  EXPECT_EQ(status(job).changed_count, 1u);
}

TEST_F(JobsTest, AnOutputThatExistsFailsTheJobAndStays) {
  const InodeId inode = make("a", csv(1, 10));
  SubmitJob submitted = wc(1);
  submitted.output = output();
  const JobId careful = submit(submitted);
  make("out.csv", "precious");
  EXPECT_EQ(writer_->submit_job(submitted).code(), Errc::exists) << "told at once, if it is known";
  tell(careful, {inode});
  work(careful);
  const JobStatus failed = status(careful);
  EXPECT_EQ(failed.phase, JobPhase::failed);
  ASSERT_TRUE(failed.failure);
  EXPECT_EQ(failed.failure->code, Errc::exists);
  EXPECT_THAT(failed.failure->what, HasSubstr("--replace"));
  EXPECT_EQ(content_of("out.csv"), "precious");
  EXPECT_EQ(writer_->job_results(careful, 0, 10).code(), Errc::stale_handle);
  until([&] { return hidden_files().empty(); }, "hidden files go");

  submitted.output = output(true);
  const JobId replacing = submit(submitted);
  tell(replacing, {inode});
  work(replacing);
  EXPECT_EQ(status(replacing).phase, JobPhase::done);
  EXPECT_EQ(content_of("out.csv"), expected(submitted, {inode}));
  EXPECT_EQ(status(replacing).output_inode, writer_->lookup(kRootInode, "out.csv")->attributes.inode);
}

TEST_F(JobsTest, SpooledPartialsThatAreLostAreMadeAgain) {
  const InodeId inode = make("a", csv(1, 8000));
  SubmitJob submitted = wc(1);
  submitted.output = output();
  const JobId job = submit(submitted);
  tell(job, {inode});
  until_phase(job, JobPhase::mapping);
  const Instant deadline = real_clock().now() + 20s;
  while (status(job).phase == JobPhase::mapping) {
    ASSERT_LT(real_clock().now(), deadline);
    for (const auto& worker : workers_) {
      if (worker->poll() == 0 || worker->assigned.front().ref.phase != JobPhase::mapping) continue;
      FinishTask done = worker->result_of(worker->assigned.front()).value();
      done.spooled = SpooledPartial{done.partial.size(), 1};
      done.partial.clear();
      EXPECT_EQ(*worker->meta().finish_task(done), TaskVerdict::accepted);
      worker->assigned.erase(worker->assigned.begin());
    }
  }
  ASSERT_EQ(status(job).phase, JobPhase::merging);
  const auto results = writer_->job_results(job, 0, 100);
  ASSERT_TRUE(results.ok());
  ASSERT_GT(results->results.size(), 1u);
  for (const TaskResult& result : results->results) {
    EXPECT_EQ(result.results.port, 9);
    EXPECT_TRUE(writer_->lost_result({job, result.task, result.attempt}).ok());
  }
  EXPECT_EQ(status(job).phase, JobPhase::mapping);
  work(job);
  EXPECT_EQ(status(job).phase, JobPhase::done);
  EXPECT_EQ(content_of("out.csv"), expected(submitted, {inode}));
}

TEST_F(JobsTest, ACancelledJobIsDroppedByItsWorkers) {
  const JobId job = submit(wc(1));
  tell(job, {make("a", std::string(900'000, 'x'))});
  until_phase(job, JobPhase::mapping);
  until([&] { return workers_[0]->poll() > 0; }, "an assignment");
  const FinishTask late = workers_[0]->result_of(workers_[0]->assigned.front()).value();
  ASSERT_TRUE(writer_->cancel_job(job).ok());
  EXPECT_EQ(status(job).phase, JobPhase::cancelled);
  until([&] { return workers_[0]->poll() == 0; }, "it is told to drop it");
  EXPECT_EQ(*workers_[0]->meta().finish_task(late), TaskVerdict::dropped);
  EXPECT_EQ(workers_[1]->poll(), 0u);
  EXPECT_TRUE(writer_->cancel_job(job).ok()) << "twice is once";
}

TEST_F(JobsTest, AJobThatTakesLongerThanItMayFailsAndSaysSo) {
  SubmitJob submitted = wc(1);
  submitted.time_limit_ms = 100;
  const JobId job = submit(submitted);
  tell(job, {make("a", csv(1, 5000))});
  until_phase(job, JobPhase::failed);
  EXPECT_EQ(status(job).failure->code, Errc::timed_out);
  EXPECT_THAT(status(job).failure->what, HasSubstr("--time-limit"));
  EXPECT_EQ(writer_->job_layout(job, 0, 0, 1).code(), Errc::stale_handle) << "nothing is pinned any more";
}

TEST_F(JobsTest, ATaskThatFailsEverywhereFailsTheJobWithTheLastReason) {
  const JobId job = submit(wc(1));
  tell(job, {make("a", "one line\n")});
  until_phase(job, JobPhase::mapping);
  std::set<ServerId> tried;
  until(
      [&] {
        for (const auto& worker : workers_) {
          if (worker->poll(5ms, 1) == 0) continue;
          FinishTask failed{
              worker->assigned.front().ref, worker->server(), {}, Error{Errc::io, "the disk is gone"}, {}, {}, {}, {}};
          EXPECT_TRUE(worker->meta().finish_task(failed).ok());
          worker->assigned.clear();
          tried.insert(worker->server());
        }
        return is_over(status(job).phase);
      },
      "it is given up", 1);
  EXPECT_EQ(status(job).phase, JobPhase::failed);
  EXPECT_EQ(status(job).failures, kMaxTaskFailures);
  EXPECT_THAT(tried, SizeIs(3)) << "on another server each time, as long as there is one";
  EXPECT_THAT(status(job).failure->what, HasSubstr("the disk is gone"));
}

TEST_F(JobsTest, AJobForWhichNobodyHasASlotFailsAndSaysWhatToStart) {
  options_.job_workers_within = 100ms;
  restart();
  const JobId job = submit(wc(1));
  tell(job, {make("a", csv(1, 5000))});
  until_phase(job, JobPhase::failed);
  EXPECT_EQ(status(job).failure->code, Errc::unavailable);
  EXPECT_THAT(status(job).failure->what, HasSubstr("task_slots"));
}

TEST_F(JobsTest, OnlyTheNewestJobsThatAreOverAreKept) {
  options_.jobs_kept = 2;
  restart();
  std::vector<JobId> jobs;
  const InodeId inode = make("a", csv(1, 100));
  for (int i = 0; i < 5; ++i) {
    jobs.push_back(submit(wc(1)));
    tell(jobs.back(), {inode});
    work(jobs.back());
  }
  until([&] { return writer_->list_jobs(JobId{}, 10)->jobs.size() == 2; }, "the older ones are removed");
  EXPECT_EQ(writer_->list_jobs(JobId{}, 10)->jobs[0].job, jobs[3]);
  EXPECT_EQ(*workers_[0]->merged_table(jobs[4]), expected(wc(1), {inode}));
  EXPECT_EQ(writer_->job_status(jobs[0]).code(), Errc::not_found);
}

TEST_F(JobsTest, AThousandFiles) {
  std::vector<InodeId> inputs;
  for (int i = 0; i < 1000; ++i)
    inputs.push_back(make(fmt::format("f{}", i), i % 50 == 0 ? csv(i, 400) : fmt::format("line {}\nand more\n", i)));
  const JobId job = submit(wc(1000));
  tell(job, inputs);
  work(job);
  ASSERT_EQ(status(job).phase, JobPhase::done);
  EXPECT_LT(status(job).phases.back().tasks, 40u) << "small files share tasks";
  EXPECT_EQ(*workers_[0]->merged_table(job), expected(wc(1000), inputs));
}

TEST_F(JobsTest, WhatCannotBeAJobIsRefusedWithASentence) {
  SubmitJob job = wc(1);
  job.op = "dance";
  const auto unknown = writer_->submit_job(job);
  EXPECT_EQ(unknown.code(), Errc::invalid);
  EXPECT_THAT(unknown.error().what, HasSubstr("wc"));
  job = wc(1);
  job.arguments = {{"speed", "9"}};
  EXPECT_EQ(writer_->submit_job(job).code(), Errc::invalid);
  EXPECT_EQ(writer_->job_status(JobId{77}).code(), Errc::not_found);
  EXPECT_EQ(workers_[0]->meta().poll_tasks({ServerId{99}, 1, {}, {}, 0s}).code(), Errc::invalid);
  const JobId directory = submit(wc(1));
  tell(directory, {kRootInode});
  until_phase(directory, JobPhase::failed);
  EXPECT_THAT(status(directory).failure->what, HasSubstr("regular file"));
}

}  // namespace
}  // namespace cairn
