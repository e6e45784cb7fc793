// Files without names, and their contents that a task's end gives to the job's files: once, all together, or not at
// all.
#include "invariants.h"
#include "machine.h"
#include "metaserver/state/extent_map.h"
#include "metaserver/state/job_queries.h"

namespace cairn {
namespace {

constexpr ServerId kWorker{1};

class AdoptTest : public testing::Test {
 protected:
  AdoptTest() : machine_(3), mount_(machine_.open_session()), writer_(machine_.open_session()) {
    machine_.wall_ns = 10'000 * kSecond;  // later than what the fixture commits
    chunk_ = machine_.open_chunk(mount_);
    new_chunk_ = machine_.open_chunk(writer_);
  }

  ~AdoptTest() override { EXPECT_EQ(violations(*machine_.view()), ""); }

  InodeId file(const std::string& name, uint64_t length) {
    const InodeId inode = machine_.make(mount_, kRootInode, name).attributes.inode;
    if (length > 0) {
      EXPECT_TRUE(machine_.commit_extent(mount_, chunk_, inode, 0, length).ok());
    }
    return inode;
  }
  InodeId anonymous(InodeId like, uint64_t length, const std::string& policy = "") {
    const auto made = machine_.call<Attributes>(writer_, MakeAnonymous{like, policy});
    EXPECT_TRUE(made.ok());
    if (length > 0) {
      EXPECT_TRUE(machine_.commit_extent(writer_, new_chunk_, made->inode, 0, length).ok());
    }
    return made->inode;
  }
  InodeId inline_anonymous(InodeId like, const std::string& content) {
    const InodeId inode = anonymous(like, 0);
    EXPECT_TRUE(machine_.done(writer_, Commit{{{inode, {}, content.size(), {1, 2}, content}}, {}}).ok());
    return inode;
  }
  JobId submit(const std::vector<InodeId>& inputs, uint32_t task_files = 64, bool anywhere = true) {
    AdmitJob admit;
    admit.job.op = "write";
    admit.job.inputs = static_cast<uint32_t>(inputs.size());
    admit.job.task_bytes = kMinTaskBytes;
    admit.task_files = task_files;
    admit.anywhere = anywhere;
    const auto job = machine_.call<JobId>(mount_, admit);
    EXPECT_TRUE(job.ok());
    std::vector<JobInput> named;
    for (const InodeId inode : inputs) named.push_back({inode, fmt::format("file{}", raw(inode))});
    EXPECT_TRUE(machine_.done(mount_, AddJobInputs{*job, 0, named}).ok());
    for (const auto& body : {CommandBody(PinInputs{*job, 1000, 1000}), CommandBody(CutTasks{*job, 1000})}) {
      while (queries::job(*machine_.view(), *job)->state.phase == JobPhase::planning) {
        const auto before = queries::job(*machine_.view(), *job)->state;
        EXPECT_TRUE(machine_.done({}, body).ok());
        const auto after = queries::job(*machine_.view(), *job)->state;
        if (after.pinned == before.pinned && after.tasks == before.tasks) break;
      }
    }
    return *job;
  }
  FinishTask result(JobId job, std::vector<TaskOutput> outputs, uint64_t attempt = 1, uint32_t task = 0) {
    FinishTask done{{job, JobPhase::mapping, task, AttemptId{attempt}}, kWorker, {}, {}, {}, {}, "p", {}, {}};
    done.outputs = std::move(outputs);
    return done;
  }
  TaskVerdict finish(const FinishTask& done) {
    const auto verdict = machine_.call<TaskVerdict>(mount_, done);
    EXPECT_TRUE(verdict.ok()) << (verdict.ok() ? "" : verdict.error().what);
    return verdict.ok() ? *verdict : TaskVerdict{};
  }
  std::vector<Extent> extents(InodeId inode) {
    return *extents_in(*machine_.view(), machine_.inode(inode).map, 0, UINT64_MAX - 1, 100);
  }
  uint64_t live_bytes() {
    return machine_.chunk(chunk_.chunk).live_bytes + machine_.chunk(new_chunk_.chunk).live_bytes;
  }

  Machine machine_;
  SessionId mount_, writer_;
  ChunkInfo chunk_, new_chunk_;
};

TEST_F(AdoptTest, AFileWithoutANameGoesWithItsSession) {
  const InodeId like = file("a", 5000);
  const uint64_t inodes = machine_.counters().inodes, live = live_bytes();
  const InodeId inode = anonymous(like, 7000);
  EXPECT_EQ(machine_.inode(inode).attributes.links, 0u);
  EXPECT_EQ(machine_.inode(inode).attributes.storage_class, machine_.inode(like).attributes.storage_class);
  EXPECT_EQ(machine_.counters().inodes, inodes + 1);
  EXPECT_EQ(live_bytes(), live + 7000);
  ASSERT_TRUE(machine_.done({}, EndSession{writer_, true}).ok());
  EXPECT_EQ(machine_.counters().inodes, inodes);
  EXPECT_EQ(live_bytes(), live);
}

TEST_F(AdoptTest, AnonymousFilesAreOfTheClassThatIsAskedFor) {
  const InodeId like = file("a", 0);
  const InodeId inode = anonymous(like, 0, "ec(1,1)/64K");
  const auto of = queries::storage_class(*machine_.view(), machine_.inode(inode).attributes.storage_class);
  ASSERT_TRUE(of.ok());
  EXPECT_EQ(of->policy, (Code{1, 1}));
  EXPECT_EQ(of->cell_bytes, 65536u);
  EXPECT_EQ(machine_.code(writer_, MakeAnonymous{like, "ec(99,99)"}), Errc::invalid);
  EXPECT_EQ(machine_.code(writer_, MakeAnonymous{InodeId{4711}, ""}), Errc::stale_handle);
  EXPECT_EQ(machine_.code({}, MakeAnonymous{like, ""}), Errc::no_session) << "nobody would end it";
}

TEST_F(AdoptTest, ContentsChangeHandsAndTheFilesStay) {
  const InodeId first = file("a", 5000), second = file("b", 9000);
  const JobId job = submit({first, second});
  const Attributes before = machine_.inode(first).attributes;
  const auto old_extents = extents(first);
  const InodeId one = anonymous(first, 7000), other = inline_anonymous(second, "short");
  const auto new_extents = extents(one);
  machine_.wall_ns += 5 * kSecond;
  EXPECT_EQ(finish(result(job, {{0, one}, {1, other}})), TaskVerdict::accepted);
  const Attributes after = machine_.inode(first).attributes;
  EXPECT_EQ(extents(first), new_extents);
  EXPECT_EQ(extents(one), old_extents);
  EXPECT_EQ(after.size, 7000u);
  EXPECT_EQ(after.stored, 7000u);
  EXPECT_EQ(after.mode, before.mode);
  EXPECT_EQ(after.links, 1u);
  EXPECT_GT(after.version, before.version);
  EXPECT_GT(after.mtime, before.mtime);
  EXPECT_EQ(machine_.inode(second).attributes.size, 5u);
  EXPECT_EQ(queries::layout(*machine_.view(), second, 0, 100, 10)->inline_data, "short");
  EXPECT_EQ(queries::layout(*machine_.view(), other, 0, 9000, 10)->extents.size(), 1u);
  EXPECT_EQ(queries::changed_inputs(*machine_.view(), job, 10)->count, 0u) << "the job's own change";
  // What was there before dies with the session that wrote the new contents.
  ASSERT_TRUE(machine_.done({}, EndSession{writer_, false}).ok());
  EXPECT_EQ(live_bytes(), 7000u);
  EXPECT_EQ(extents(first), new_extents);
  for (const size_t batch : {size_t{1}, size_t{7}, size_t{1000}})
    EXPECT_EQ(replayed_hash(machine_.log, batch), machine_.hash());
}

TEST_F(AdoptTest, ASecondResultOfATaskChangesNothing) {
  const InodeId target = file("a", 5000);
  const JobId job = submit({target, file("b", 5000)}, 1);  // which is not over with the first task
  const InodeId first = anonymous(target, 6000), second = anonymous(target, 7000);
  EXPECT_EQ(finish(result(job, {{0, first}}, 1)), TaskVerdict::accepted);
  EXPECT_EQ(finish(result(job, {{0, second}}, 2)), TaskVerdict::already);
  EXPECT_EQ(machine_.inode(target).attributes.size, 6000u);
}

TEST_F(AdoptTest, AFileThatWasChangedKeepsWhatItHas) {
  const InodeId first = file("a", 5000), second = file("b", 5000);
  const JobId job = submit({first, second});
  const uint64_t pinned = queries::job_file(*machine_.view(), job, 1)->version;
  const InodeId one = anonymous(first, 6000), other = anonymous(second, 6000);
  ASSERT_TRUE(machine_.commit_extent(mount_, chunk_, second, 0, 5001).ok());
  EXPECT_EQ(finish(result(job, {{0, one}, {1, other, pinned, true}})), TaskVerdict::changed);
  EXPECT_EQ(machine_.inode(first).attributes.size, 5000u) << "all or none";
  EXPECT_EQ(machine_.inode(second).attributes.size, 5001u);
  EXPECT_EQ(finish(result(job, {{0, one}})), TaskVerdict::accepted) << "without the one that changed";
  EXPECT_EQ(machine_.inode(first).attributes.size, 6000u);
}

TEST_F(AdoptTest, AFileThatIsGoneGetsNothing) {
  const InodeId target = file("a", 5000);
  const JobId job = submit({target});
  const InodeId one = anonymous(target, 6000);
  ASSERT_TRUE(machine_.call<Removed>(mount_, RemoveName{kRootInode, "a", false}).ok());
  EXPECT_EQ(finish(result(job, {{0, one}})), TaskVerdict::changed) << "without a name, although somebody has it open";
  EXPECT_EQ(finish(result(job, {})), TaskVerdict::accepted);
}

TEST_F(AdoptTest, AReencodedFileGetsTheClassAndKeepsItsTimes) {
  const InodeId target = file("a", 5000);
  const JobId job = submit({target});
  const Attributes before = machine_.inode(target).attributes;
  const InodeId one = anonymous(target, 5000, "ec(1,1)");
  const ClassId wanted = machine_.inode(one).attributes.storage_class;
  machine_.wall_ns += 5 * kSecond;
  EXPECT_EQ(finish(result(job, {{0, one, before.version, true}})), TaskVerdict::accepted);
  EXPECT_EQ(machine_.inode(target).attributes.storage_class, wanted);
  EXPECT_EQ(machine_.inode(target).attributes.mtime, before.mtime);
  EXPECT_GT(machine_.inode(target).attributes.ctime, before.ctime);
}

TEST_F(AdoptTest, OnlyTheTasksOwnFilesAndInodesWithoutNames) {
  const InodeId target = file("a", 5000), named = file("b", 6000);
  const JobId job = submit({target}), mapping = submit({target}, 0, false);
  const InodeId one = anonymous(target, 6000);
  EXPECT_EQ(machine_.code(mount_, result(job, {{1, one}})), Errc::invalid);
  EXPECT_EQ(machine_.code(mount_, result(job, {{0, named}})), Errc::invalid);
  EXPECT_EQ(machine_.code(mount_, result(job, {{0, one}, {0, one}})), Errc::invalid);
  EXPECT_EQ(machine_.code(mount_, result(mapping, {{0, one}})), Errc::invalid) << "wc, say, changes no files";
  FinishTask spooled = result(job, {{0, one}});
  spooled.partial = {};
  spooled.spooled = SpooledPartial{7, 8};
  EXPECT_EQ(machine_.code(mount_, spooled), Errc::invalid);
  ASSERT_TRUE(machine_.done({}, EndSession{writer_, true}).ok());
  EXPECT_EQ(machine_.code(mount_, result(job, {{0, one}})), Errc::stale_handle);
  EXPECT_EQ(machine_.inode(target).attributes.size, 5000u);
}

TEST_F(AdoptTest, EachFileIsOneSplitAlsoAnEmptyOneAndTasksAreSmall) {
  std::vector<InodeId> inputs;
  for (int i = 0; i < 7; ++i) inputs.push_back(file(fmt::format("f{}", i), i % 2 == 0 ? 0 : 3000));
  const JobId job = submit(inputs, 3);
  const auto tasks = *queries::tasks(*machine_.view(), job, 0, 100);
  ASSERT_EQ(tasks.size(), 3u);
  uint32_t files = 0;
  for (const auto& task : tasks) {
    EXPECT_EQ(task.row.owner, ServerId{});
    EXPECT_TRUE(task.row.whole);
    EXPECT_EQ(task.row.splits, task.row.windows.size());
    EXPECT_LE(task.row.windows.size(), 3u);
    for (const TaskWindow& window : task.row.windows) EXPECT_EQ(window, (TaskWindow{files++, 0, window.end}));
  }
  EXPECT_EQ(files, 7u);
  const JobId near = submit(inputs, 64, false);
  const auto near_tasks = *queries::tasks(*machine_.view(), near, 0, 100);
  for (const auto& task : near_tasks) {
    for (const TaskWindow& window : task.row.windows) EXPECT_EQ(window.end > 0, task.row.owner != ServerId{});
  }
}

}  // namespace
}  // namespace cairn
