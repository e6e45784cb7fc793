#include "common/rpc/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rpc/random_values.h"

namespace cairn::test {
namespace {

// Own -> wire -> own -> wire: the two wires are equal, which compares every field that travels.
template <typename Own>
void expect_round_trip(const Own& own) {
  const auto wire = to_wire(own);
  const auto back = from_wire(wire);
  ASSERT_TRUE(back.ok()) << back.error().what;
  EXPECT_EQ(to_wire(*back), wire);
}
template <typename Own>
void expect_request_round_trip(const Own& own, const Mutation& mutation) {
  const auto wire = to_wire(own, mutation);
  const auto back = from_wire(wire);
  ASSERT_TRUE(back.ok()) << back.error().what;
  const auto mutation_back = from_wire(wire.mutation);
  ASSERT_TRUE(mutation_back.ok());
  EXPECT_EQ(to_wire(*back, *mutation_back), wire);
}
template <typename Reply, typename Own>
void expect_reply_round_trip(const Own& own) {
  Reply reply;
  answer(reply, Result<Own>(own));
  const auto back = from_wire(reply);
  ASSERT_TRUE(back.ok()) << back.error().what;
  Reply again;
  answer(again, Result<Own>(*back));
  EXPECT_EQ(again, reply);

  Reply failed;
  answer(failed, Result<Own>(Errc::no_space, "full"));
  const auto error = from_wire(failed);
  ASSERT_FALSE(error.ok());
  EXPECT_EQ(error.error().code, Errc::no_space);
  EXPECT_EQ(error.error().what, "full");
  EXPECT_EQ(from_wire(Reply()).error().code, Errc::io);  // neither an error nor a value
}

constexpr int kRounds = 200;

TEST(WireTest, EveryValueSurvivesTheWayOutAndBack) {
  RandomValues random(1);
  for (int i = 0; i < kRounds; ++i) {
    expect_round_trip(random.mutation());
    expect_round_trip(random.address());
    expect_round_trip(random.code());
    expect_round_trip(random.time());
    expect_round_trip(random.attributes());
    expect_round_trip(random.entry());
    expect_round_trip(random.extent());
    expect_round_trip(random.chunk());
    expect_round_trip(random.server());
    expect_round_trip(random.storage_class());
    expect_round_trip(random.lease());
    expect_round_trip(random.event());
    expect_round_trip(random.lock());
    expect_round_trip(random.lock_call());
    expect_round_trip(random.lock_notice());
    expect_round_trip(random.lock_info());
    expect_round_trip(random.session_status());
    expect_round_trip(random.file_commit());
    expect_round_trip(random.chunk_commit());
    expect_round_trip(random.shard_summary());
  }
}

TEST(WireTest, ValuesWithEqualityAreTheSameAfterwards) {
  RandomValues random(2);
  for (int i = 0; i < kRounds; ++i) {
    const Extent extent = random.extent();
    EXPECT_EQ(from_wire(to_wire(extent)).value(), extent);
    const Attributes attributes = random.attributes();
    EXPECT_EQ(from_wire(to_wire(attributes)).value(), attributes);
    const ChunkInfo chunk = random.chunk();
    EXPECT_EQ(from_wire(to_wire(chunk)).value(), chunk);
    const StorageClass storage_class = random.storage_class();
    EXPECT_EQ(from_wire(to_wire(storage_class)).value(), storage_class);
  }
}

TEST(WireTest, EveryRequestSurvivesTheWayOutAndBack) {
  RandomValues random(3);
  for (int i = 0; i < kRounds; ++i) {
    const Mutation mutation = random.mutation();
    expect_round_trip(random.session_request());
    expect_round_trip(random.heartbeat());
    expect_request_round_trip(random.make_node(), mutation);
    expect_request_round_trip(random.make_anonymous(), mutation);
    expect_request_round_trip(LinkNode{random.inode(), random.inode(), random.name()}, mutation);
    expect_request_round_trip(RemoveName{random.inode(), random.name(), random.flip()}, mutation);
    expect_request_round_trip(random.rename(), mutation);
    expect_request_round_trip(random.set_attributes(), mutation);
    expect_request_round_trip(SetXattr{random.inode(), random.name(), random.text(5000), random.below32(3)}, mutation);
    expect_request_round_trip(RemoveXattr{random.inode(), random.name()}, mutation);
    expect_request_round_trip(
        TrimRange{random.inode(), random.below(1ull << 62), random.below(1ull << 62), random.time()}, mutation);
    expect_request_round_trip(ForgetOrphans{{random.inode(), random.inode()}}, mutation);
    expect_request_round_trip(random.commit(), mutation);
    expect_request_round_trip(GrantChunks{random.id<ClassId>(), 1 + random.below32(64), {ServerId{3}, ServerId{4}}},
                              mutation);
    expect_request_round_trip(random.lock_call(), mutation);
    expect_request_round_trip(CancelLock{random.below(1ull << 60), random.below(1ull << 60)}, mutation);
    expect_request_round_trip(LockReclaim{{random.lock(), random.lock()}, {random.lock_call()}}, mutation);
    expect_round_trip(LockListCall{random.inode(), random.inode(), random.below(1000), 1 + random.below32(1000)});
    expect_request_round_trip(SealChunks{{random.id<ChunkId>(), random.id<ChunkId>()}}, mutation);
  }
}

TEST(WireTest, EveryShardCallSurvivesTheWayOutAndBack) {
  RandomValues random(4);
  for (int i = 0; i < kRounds; ++i) {
    const AppendCall append{random.shard(), random.place(), random.id<Epoch>(), random.flip()};
    const auto wire = to_wire(append, 8192);
    EXPECT_EQ(wire.tail_bytes, 8192);
    const auto back = from_wire(wire);
    ASSERT_TRUE(back.ok()) << back.error().what;
    EXPECT_EQ(to_wire(*back, 8192), wire);
    expect_round_trip(SyncCall{random.shard(), random.id<BootId>(), random.place()});
    expect_round_trip(ReadCall{random.shard(), random.place(), 4096 * random.below32(5), 4096 * random.below32(100),
                               4096 * (1 + random.below32(100))});
    expect_round_trip(random.rebuild_shard());
    expect_round_trip(SealShard{random.shard(), random.place(), random.id<Epoch>()});
    expect_round_trip(PunchShard{random.shard(), random.place(), 4096 + random.place() / 2 / 4096 * 4096});
    expect_round_trip(random.shard());
    expect_round_trip(
        ListShards{random.id<Incarnation>(), random.id<ChunkId>(), 1 + random.below32(1000), random.id<ServerId>()});
  }
}

TEST(WireTest, EveryReplySurvivesTheWayBack) {
  RandomValues random(5);
  for (int i = 0; i < kRounds; ++i) {
    expect_reply_round_trip<thrift::OpenSessionReply>(
        SessionGrant{random.id<SessionId>(), 20s, random.id<Incarnation>(), random.flip(), 9});
    expect_reply_round_trip<thrift::RenewReply>(RenewedSession{20s, random.id<Epoch>(), 7});
    expect_reply_round_trip<thrift::EventsReply>(EventPage{{random.event(), random.event()}, 8});
    expect_reply_round_trip<thrift::AcquireReply>(std::vector<Lease>{random.lease(), random.lease()});
    expect_reply_round_trip<thrift::LockReply>(
        LockAnswer{random.below(1ull << 60), random.lock_outcome(), random.below(1ull << 60)});
    expect_reply_round_trip<thrift::TestLockReply>(std::optional<LockInfo>(random.lock_info()));
    expect_reply_round_trip<thrift::TestLockReply>(std::optional<LockInfo>());
    expect_reply_round_trip<thrift::ListLocksReply>(LockPage{{random.lock_info()}, random.flip()});
    expect_reply_round_trip<thrift::EntryReply>(random.entry());
    expect_reply_round_trip<thrift::AttributesReply>(random.attributes());
    expect_reply_round_trip<thrift::ReadlinkReply>(random.name());
    expect_reply_round_trip<thrift::DirectoryReply>(
        DirectoryPage{{random.entry(), random.entry()}, random.flip(), random.inode()});
    expect_reply_round_trip<thrift::StatfsReply>(
        FilesystemSpace{random.below(1ull << 60), random.below(1ull << 60), 5});
    expect_reply_round_trip<thrift::XattrReply>(random.text(1000));
    expect_reply_round_trip<thrift::XattrListReply>(std::vector<std::string>{random.name(), random.name()});
    expect_reply_round_trip<thrift::RemoveReply>(Removed{random.inode(), random.below32(5), random.flip()});
    expect_reply_round_trip<thrift::RenameReply>(Renamed{random.attributes(), random.inode(), random.below32(5)});
    expect_reply_round_trip<thrift::LayoutReply>(random.layout());
    expect_reply_round_trip<thrift::CommitReply>(Committed{{random.attributes(), Attributes{}}, {random.inode()}});
    expect_reply_round_trip<thrift::GrantReply>(std::vector<ChunkInfo>{random.chunk(), random.chunk()});
    expect_reply_round_trip<thrift::ClusterMapReply>(ClusterMap{
        random.id<Epoch>(), random.id<Incarnation>(), {random.server(), random.server()}, {random.storage_class()}});
    expect_reply_round_trip<thrift::HeartbeatReply>(
        HeartbeatAnswer{random.id<ServerId>(), random.id<Incarnation>(), random.id<Epoch>(), 1s});
    expect_reply_round_trip<thrift::StatusReply>(random.cluster_status());
    expect_reply_round_trip<thrift::ChangeServerReply>(random.server_change());
    expect_reply_round_trip<thrift::RebuildReply>(RebuildProgress{7, random.flip(), 1, 2, 3});
    expect_reply_round_trip<thrift::ChunkListReply>(std::vector<ChunkInfo>{random.chunk()});
    expect_reply_round_trip<thrift::AppendReply>(ShardPosition{random.id<BootId>(), random.place()});
    expect_reply_round_trip<thrift::SyncReply>(ShardPosition{random.id<BootId>(), random.place()});
    expect_reply_round_trip<thrift::ReadReply>(uint32_t{4096 * (1 + random.below32(100))});
    expect_reply_round_trip<thrift::ListShardsReply>(ShardPage{{random.shard_summary()}, random.flip()});
    expect_reply_round_trip<thrift::ChunkserverStatusReply>(ChunkserverStatus{random.id<BootId>(), "uuid", 1, 2, 3, 4});
  }
  thrift::EmptyReply empty;
  EXPECT_TRUE(from_wire(empty).ok());
  answer(empty, Status(Errc::exists, "there"));
  EXPECT_EQ(from_wire(empty).code(), Errc::exists);
  thrift::ShardReply shard;
  answer(shard, Status());
  EXPECT_TRUE(from_wire(shard).ok());
}

TEST(WireTest, EveryMessageOfNearDataTasksSurvivesTheWayOutAndBack) {
  RandomValues random(9);
  for (int i = 0; i < kRounds; ++i) {
    const Mutation mutation = random.mutation();
    expect_round_trip(random.job_output());
    expect_round_trip(random.job_input());
    expect_round_trip(random.task_counters());
    expect_round_trip(random.job_status());
    expect_round_trip(random.task_window());
    expect_round_trip(random.task_info());
    expect_round_trip(random.job_file());
    expect_round_trip(random.chunk_holders());
    expect_round_trip(random.task_ref());
    expect_round_trip(random.running_task());
    expect_round_trip(random.assignment());
    expect_round_trip(random.file_head());
    expect_round_trip(random.spooled());
    expect_round_trip(random.task_output());
    expect_round_trip(random.task_result());
    expect_round_trip(random.task_poll());
    expect_round_trip(
        JobLayoutCall{random.id<JobId>(), random.below32(99), 5, 5 + random.below(1ull << 60), random.below32(99)});
    expect_request_round_trip(random.submit_job(), mutation);
    expect_request_round_trip(
        AddJobInputs{random.id<JobId>(), random.below32(99), {random.job_input(), random.job_input()}}, mutation);
    expect_request_round_trip(CancelJob{random.id<JobId>()}, mutation);
    expect_request_round_trip(random.finish_task(), mutation);
    TaskRef merging = random.task_ref();
    merging.phase = JobPhase::merging;
    expect_request_round_trip(FinishJob{merging, random.id<ServerId>(), random.task_counters(), random.inode()},
                              mutation);
    expect_request_round_trip(LostResult{random.id<JobId>(), random.below32(99), random.id<AttemptId>()}, mutation);
    expect_reply_round_trip<thrift::JobReply>(random.id<JobId>());
    expect_reply_round_trip<thrift::JobStatusReply>(random.job_status());
    expect_reply_round_trip<thrift::ListJobsReply>(JobList{{random.job_status(), random.job_status()}, random.flip()});
    expect_reply_round_trip<thrift::JobPlanReply>(JobPlan{{random.task_info()}, random.flip()});
    expect_reply_round_trip<thrift::JobDescriptionReply>(random.job_description());
    expect_reply_round_trip<thrift::JobLayoutReply>(random.job_layout());
    expect_reply_round_trip<thrift::TaskPollReply>(TaskOrders{{random.assignment()}, {random.task_ref()}});
    expect_reply_round_trip<thrift::TaskVerdictReply>(static_cast<TaskVerdict>(1 + random.below(4)));
    expect_reply_round_trip<thrift::JobResultsReply>(
        JobResults{{random.task_result()}, random.below32(kMaxJobTasks), random.flip()});
  }
}

TEST(WireTest, ErrorCodesPassThroughAndUnknownOnesBecomeIo) {
  for (int code = static_cast<int>(Errc::not_found); code <= static_cast<int>(Errc::interrupted); ++code) {
    EXPECT_EQ(from_wire(to_wire(Error{static_cast<Errc>(code), "x"})).code, static_cast<Errc>(code));
  }
  for (const int16_t code :
       {int16_t{0}, int16_t{-1}, int16_t{static_cast<int16_t>(Errc::interrupted) + 1}, int16_t{INT16_MAX}}) {
    thrift::Error error;
    error.code = code;
    EXPECT_EQ(from_wire(error).code, Errc::io);
  }
}

TEST(WireTest, NamesAreChecked) {
  EXPECT_TRUE(check_name("a").ok());
  EXPECT_TRUE(check_name("...").ok());
  EXPECT_TRUE(check_name(std::string(255, 'x')).ok());
  EXPECT_EQ(check_name(std::string(256, 'x')).code(), Errc::name_too_long);
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a\0b", 3)}) {
    EXPECT_EQ(check_name(bad).code(), Errc::invalid) << bad;
  }
  EXPECT_TRUE(check_xattr_name("user./x").ok());
  EXPECT_EQ(check_xattr_name("").code(), Errc::invalid);
}

// Changes one field of a good message and expects that it is refused.
template <typename Generated, typename Change>
void expect_refused(Generated wire, Change change, Errc code = Errc::invalid) {
  ASSERT_TRUE(from_wire(wire).ok());
  change(wire);
  const auto back = from_wire(wire);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code, code) << back.error().what;
}

TEST(WireTest, SenselessGeometryIsRefused) {
  RandomValues random(6);
  for (int i = 0; i < 50; ++i) {
    const auto extent = to_wire(random.extent());
    expect_refused(extent, [](auto& w) { w.code.d = 0; });
    expect_refused(extent, [](auto& w) { w.code.d = 33; });
    expect_refused(extent, [](auto& w) { w.code.d = 257; });  // 1 in eight bits
    expect_refused(extent, [](auto& w) { w.code.m = -1; });
    expect_refused(extent, [](auto& w) { w.code.m = 9; });
    expect_refused(extent, [](auto& w) { w.length = 0; });
    expect_refused(extent, [](auto& w) { w.length = -1; });
    expect_refused(extent, [](auto& w) { w.offset = -1; });
    expect_refused(
        extent, [](auto& w) { w.offset = INT64_MAX; }, Errc::too_big);
    expect_refused(extent, [](auto& w) { w.cell_bytes = 4095; });
    expect_refused(extent, [](auto& w) { w.cell_bytes = 2 << 20; });
    expect_refused(extent, [](auto& w) { w.cell_bytes = INT32_MIN; });
    expect_refused(extent, [](auto& w) { w.place = -4096; });
    expect_refused(extent, [](auto& w) { w.place += 1; });
    expect_refused(extent, [](auto& w) { w.chunk = 0; });
    expect_refused(extent, [](auto& w) { w.present = 0; });
    expect_refused(extent, [](auto& w) { w.position = INT64_MAX; });
    const auto chunk = to_wire(random.chunk());
    expect_refused(chunk, [](auto& w) { w.servers.pop_back(); });
    expect_refused(chunk, [](auto& w) { w.servers.push_back(1); });
    expect_refused(chunk, [](auto& w) { w.committed = -4096; });
    expect_refused(chunk, [](auto& w) { w.cell_bytes = 0; });
    const auto commit = to_wire(random.chunk_commit());
    expect_refused(commit, [](auto& w) { w.committed_from = w.committed_to + 4096; });
    expect_refused(commit, [](auto& w) { w.committed_to = 77; });
  }
}

TEST(WireTest, MalformedRequestsAreRefused) {
  RandomValues random(7);
  const Mutation mutation = random.mutation();
  expect_refused(to_wire(mutation), [](auto& w) { w.request = 0; });
  expect_refused(to_wire(mutation), [](auto& w) { w.lowest_unanswered = w.request + 1; });
  expect_refused(to_wire(random.make_node(), mutation), [](auto& w) { w.parent = 0; });
  expect_refused(to_wire(random.make_node(), mutation), [](auto& w) { w.mode = -1; });
  expect_refused(
      to_wire(random.make_node(), mutation), [](auto& w) { w.name = std::string(300, 'x'); }, Errc::name_too_long);
  expect_refused(
      to_wire(random.make_node(), mutation), [](auto& w) { w.target = std::string(4096, 'x'); }, Errc::name_too_long);
  expect_refused(to_wire(random.rename(), mutation), [](auto& w) { w.flags = 3; });
  expect_refused(to_wire(random.rename(), mutation), [](auto& w) { w.new_name = "a/b"; });
  expect_refused(to_wire(random.set_attributes(), mutation), [](auto& w) { w.__set_size(-1); });
  expect_refused(to_wire(random.set_attributes(), mutation), [](auto& w) { w.__set_mode(1 << 20); });
  const SetXattr xattr{random.inode(), "user.a", "v", 0};
  expect_refused(
      to_wire(xattr, mutation), [](auto& w) { w.value = std::string(65537, 'x'); }, Errc::too_big);
  expect_refused(
      to_wire(TrimRange{random.inode(), 1, 1, {}}, mutation), [](auto& w) { w.length = INT64_MAX; }, Errc::too_big);
  expect_refused(to_wire(GrantChunks{ClassId{1}, 1, {}}, mutation), [](auto& w) { w.count = 1000; });
  expect_refused(
      to_wire(random.file_commit()),
      [](auto& w) {
        w.extents.clear();
        w.__set_inline_data(std::string(2049, 'x'));
      },
      Errc::too_big);
  FileCommit both = random.file_commit();
  both.inline_data.reset();
  both.extents.assign(1, random.extent());
  expect_refused(to_wire(both), [](auto& w) { w.__set_inline_data("x"); });
  expect_refused(to_wire(random.heartbeat()), [](auto& w) { w.uuid.clear(); });
  expect_refused(to_wire(random.heartbeat()), [](auto& w) { w.address.port = 70000; });
  expect_refused(
      to_wire(random.heartbeat()), [](auto& w) { w.rack = std::string(256, 'x'); }, Errc::too_big);
  expect_refused(to_wire(random.lease()), [](auto& w) { w.kind = 4; });
  expect_refused(to_wire(random.time()), [](auto& w) { w.nanoseconds = 1'000'000'000; });
  expect_refused(to_wire(random.lock()), [](auto& w) { w.inode = 0; });
  expect_refused(to_wire(random.lock()), [](auto& w) { w.kind = 3; });
  expect_refused(to_wire(random.lock()), [](auto& w) { w.mode = -1; });
  expect_refused(to_wire(random.lock()), [](auto& w) { w.first = -1; });
  expect_refused(to_wire(random.lock()), [](auto& w) { w.last = w.first - 1; });
  HeldLock whole = random.lock();
  whole.owner.kind = LockKind::flock;
  whole.range = {};
  expect_refused(to_wire(whole), [](auto& w) { w.last = 9; });
  expect_refused(to_wire(random.lock_call()), [](auto& w) {
    w.wait = true;
    w.lock.mode = 0;
  });
  expect_refused(to_wire(random.lock_notice()), [](auto& w) { w.outcome = 7; });
  expect_refused(to_wire(LockReclaim{{random.lock()}, {}}, mutation), [](auto& w) { w.held[0].mode = 0; });
  expect_refused(to_wire(LockListCall{}), [](auto& w) { w.limit = 0; });
  const ReadCall read{random.shard(), 0, 4096, 0, 4096};
  expect_refused(to_wire(read), [](auto& w) { w.cell_bytes = 4097; });
  expect_refused(to_wire(read), [](auto& w) { w.header_bytes = w.cell_bytes = 0; });
  expect_refused(to_wire(read), [](auto& w) { w.cell_offset = -4096; });
  expect_refused(to_wire(read), [](auto& w) { w.cell_offset = INT32_MAX - 4095; });
  expect_refused(to_wire(read), [](auto& w) { w.shard = 40; });
  expect_refused(to_wire(read), [](auto& w) { w.shard = -1; });
  EXPECT_FALSE(valid_tail(0));
  EXPECT_FALSE(valid_tail(-4096));
  EXPECT_FALSE(valid_tail(4097));
  EXPECT_FALSE(valid_tail(int64_t{kMaxTailBytes} + 4096));
  EXPECT_TRUE(valid_tail(kMaxTailBytes));
}

TEST(WireTest, MalformedMessagesOfNearDataTasksAreRefused) {
  RandomValues random(10);
  const Mutation mutation = random.mutation();
  const auto job = to_wire(random.submit_job(), mutation);
  expect_refused(job, [](auto& w) { w.op.clear(); });
  expect_refused(job, [](auto& w) { w.inputs = 0; });
  expect_refused(job, [](auto& w) { w.inputs = kMaxJobInputs + 1; });
  expect_refused(job, [](auto& w) { w.task_bytes = 1; });
  expect_refused(job, [](auto& w) { w.time_limit_ms = -1; });
  expect_refused(
      job, [](auto& w) { w.arguments["x"] = std::string(70'000, 'x'); }, Errc::too_big);
  expect_refused(
      job,
      [](auto& w) {
        for (int i = 0; i < 65; ++i) w.arguments[std::to_string(i)] = "";
      },
      Errc::too_big);
  expect_refused(to_wire(random.job_output()), [](auto& w) { w.format = 3; });
  expect_refused(to_wire(random.job_output()), [](auto& w) { w.name = "a/b"; });
  expect_refused(to_wire(random.job_output()), [](auto& w) { w.mode = 04755; });
  const auto inputs = to_wire(AddJobInputs{JobId{1}, 0, {random.job_input()}}, mutation);
  expect_refused(inputs, [](auto& w) { w.inputs.clear(); });
  expect_refused(inputs, [](auto& w) { w.inputs.resize(kMaxInputsPage + 1, w.inputs[0]); });
  expect_refused(inputs, [](auto& w) { w.first = -1; });
  expect_refused(
      inputs, [](auto& w) { w.inputs[0].name = std::string(5000, 'x'); }, Errc::too_big);
  expect_refused(to_wire(random.task_ref()), [](auto& w) { w.phase = 2; });
  expect_refused(to_wire(random.task_ref()), [](auto& w) { w.attempt = 0; });
  expect_refused(to_wire(random.task_ref()), [](auto& w) { w.task = kMaxJobTasks; });
  expect_refused(to_wire(random.task_window()), [](auto& w) { w.to_offset = w.from_offset - 1; });
  expect_refused(to_wire(random.task_window()), [](auto& w) { w.from_offset = -1; });
  expect_refused(to_wire(random.task_poll()), [](auto& w) { w.slots = 257; });
  expect_refused(to_wire(random.task_poll()), [](auto& w) { w.wait_ms = 10'001; });
  expect_refused(to_wire(random.task_poll()), [](auto& w) { w.server = 0; });
  expect_refused(to_wire(random.spooled()), [](auto& w) { w.bytes = 0; });
  FinishTask mapped{random.task_ref(), ServerId{1}, {}, {}, {}, {}, "partial", {}};
  expect_refused(
      to_wire(mapped, mutation), [](auto& w) { w.partial.resize(kMaxInlinePartial + 1); }, Errc::too_big);
  expect_refused(to_wire(mapped, mutation),
                 [&](auto& w) { w.outputs.assign(kMaxTaskOutputs + 1, to_wire(random.task_output())); });
  expect_refused(to_wire(random.task_output()), [](auto& w) { w.inode = 0; });
  expect_refused(to_wire(random.task_output()), [](auto& w) { w.if_version = -1; });
  expect_refused(to_wire(random.make_anonymous(), mutation), [](auto& w) { w.like = 0; });
  expect_refused(to_wire(mapped, mutation), [&](auto& w) { w.__set_spooled(to_wire(random.spooled())); });
  expect_refused(to_wire(mapped, mutation), [](auto& w) { w.counters.bytes_local = (int64_t{1} << 44) + 1; });
  expect_refused(
      to_wire(mapped, mutation),
      [](auto& w) {
        w.heads.assign(5, to_wire(FileHead{0, std::string(1u << 20, 'x')}));
      },
      Errc::too_big);
  TaskRef merging = random.task_ref();
  merging.phase = JobPhase::merging;
  expect_refused(to_wire(FinishJob{merging, ServerId{1}, {}, InodeId{2}}, mutation), [](auto& w) { w.ref.phase = 4; });
}

TEST(WireTest, AMalformedReplyIsNeverTheCallersFault) {
  RandomValues random(8);
  thrift::LayoutReply layout;
  answer(layout, Result<Layout>(random.layout()));
  layout.extents.assign(1, thrift::Extent());  // all zeros
  EXPECT_EQ(from_wire(layout).error().code, Errc::io);
  thrift::EntryReply entry;
  answer(entry, Result<Entry>(random.entry()));
  entry.entry.name = "a/b";
  EXPECT_EQ(from_wire(entry).error().code, Errc::io);
  thrift::ReadReply read;
  answer(read, Result<uint32_t>(uint32_t{4096}));
  read.tail_bytes = -1;
  EXPECT_EQ(from_wire(read).error().code, Errc::io);
}

}  // namespace
}  // namespace cairn::test
