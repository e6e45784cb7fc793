// Rows and keys as bytes: bytes that never change, order, and damage.
#include "metaserver/state/rows.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "metaserver/state/job_rows.h"
#include "tests/metaserver/state/any_command.h"

namespace cairn {
namespace {

using test::Any;
using test::hex;

TEST(RowsTest, TheBytesOfVersionOneStay) {
  EXPECT_EQ(hex(encode_row(DentryRow{LogIndex{1}, InodeId{2}, 3})),
            "01"
            "0100000000000000"
            "0200000000000000"
            "0300000000000000");
  EXPECT_EQ(hex(encode_row(CookieRow{LogIndex{1}, InodeId{2}, "n"})),
            "01"
            "0100000000000000"
            "0200000000000000"
            "010000006e");
  InodeRow inode;
  inode.birth = LogIndex{1};
  inode.fileset = 2;
  inode.attributes = {InodeId{99}, 3, 4, 5, 6, 7, 8, 9, 10, {11, 12}, {13, 14}, {15, 16}, ClassId{17}, 18};
  inode.parent = InodeId{19};
  inode.next_cookie = 20;
  inode.map = MapId{21};
  inode.extents = 22;
  inode.content_bytes = 23;
  inode.xattr_names = 24;
  inode.xattr_bytes = 25;
  EXPECT_EQ(hex(encode_row(inode)),
            "01"
            "0100000000000000"
            "02000000"
            "0300000000000000"
            "04000000"
            "05000000"
            "06000000"
            "07000000"
            "0800000000000000"
            "0900000000000000"
            "0a00000000000000"
            "0b000000000000000c000000"
            "0d000000000000000e000000"
            "0f0000000000000010000000"
            "11000000"
            "12000000"
            "1300000000000000"
            "1400000000000000"
            "1500000000000000"
            "1600000000000000"
            "17000000"
            "18000000"
            "19000000");
  EXPECT_EQ(hex(encode_row(ExtentRow{LogIndex{1}, {999, 2, ChunkId{3}, 4, 5, {{6, 7}, 8, 9, 10}}})),
            "01"
            "0100000000000000"
            "0200000000000000"
            "0300000000000000"
            "0400000000000000"
            "0500000000000000"
            "0607"
            "08000000"
            "09000000"
            "0a000000");
  ChunkRow chunk;
  chunk.birth = LogIndex{1};
  chunk.info = {ChunkId{99}, ClassId{2}, {1, 1}, {ServerId{3}, ServerId{4}}, true, 5, Epoch{6}, Incarnation{99},
                7,           8,          9};
  chunk.owner = SessionId{10};
  chunk.state = ChunkState::dead;
  chunk.died_ns = 11;
  chunk.shortened = true;
  EXPECT_EQ(hex(encode_row(chunk)),
            "01"
            "0100000000000000"
            "02000000"
            "0101"
            "020000000300000004000000"
            "0500000000000000"
            "0600000000000000"
            "0700000000000000"
            "08000000"
            "0900000000000000"
            "0a00000000000000"
            "02"
            "0b00000000000000"
            "01");
  EXPECT_EQ(hex(encode_row(StripeRow{LogIndex{1}, {{2, 1}, 4096, 4096, 3}, 4, StripeState::punched, 5})),
            "01"
            "0100000000000000"
            "0201"
            "00100000"
            "00100000"
            "03000000"
            "0400000000000000"
            "02"
            "0500000000000000");
  EXPECT_EQ(hex(encode_row(OutcomeWindowRow{RequestId{2}, RequestId{1}})),
            "01"
            "0200000000000000"
            "0100000000000000");
  EXPECT_EQ(hex(encode_row(BirthRow{LogIndex{1}})),
            "01"
            "0100000000000000");
  EXPECT_EQ(hex(encode_row(ChunkRefRow{1})),
            "01"
            "0100000000000000");
  EXPECT_EQ(hex(encode_row(DeadStripeRow{1})),
            "01"
            "0100000000000000");
}

TEST(RowsTest, TheBytesOfVersionOneOfTheClusterStay) {
  EXPECT_EQ(hex(encode_row(SessionRow{LogIndex{1}, {"m", "h", -2, true, 3}, 4})),
            "01"
            "0100000000000000"
            "010000006d"
            "0100000068"
            "feffffff"
            "01"
            "0300000000000000"
            "0400000000000000");
  EXPECT_EQ(hex(encode_row(NonceRow{SessionId{1}})),
            "01"
            "0100000000000000");
  EXPECT_EQ(hex(encode_row(ServerRow{LogIndex{1}, "u", {"h", 2}, {"s", "", "h", "0"}})),
            "01"
            "0100000000000000"
            "0100000075"
            "0100000068"
            "0200"
            "0100000073"
            "00000000"
            "0100000068"
            "0100000030");
  EXPECT_EQ(hex(encode_row(ServerStateRow{LogIndex{1}, ServerState::draining})),
            "01"
            "0100000000000000"
            "01");
  EXPECT_EQ(hex(encode_row(StaleShardRow{2})),
            "01"
            "0200000000000000");
  EXPECT_EQ(hex(encode_row(UuidRow{ServerId{1}})),
            "01"
            "01000000");
  EXPECT_EQ(hex(encode_row(ClassRow{LogIndex{1}, {ClassId{2}, "n", {4, 2}, 4096, "rack"}})),
            "01"
            "0100000000000000"
            "02000000"
            "010000006e"
            "0402"
            "00100000"
            "040000007261636b");
  EXPECT_EQ(hex(encode_row(ClassNameRow{ClassId{1}})),
            "01"
            "01000000");
  EXPECT_EQ(hex(encode_row(AppliedRow{{LogIndex{1}, 2}})),
            "01"
            "0100000000000000"
            "0200000000000000");
  EXPECT_EQ(hex(encode_row(IdentityRow{Incarnation{1}, 2})),
            "01"
            "0100000000000000"
            "0200000000000000");
  EXPECT_EQ(hex(encode_row(CountersRow{{1, 2, 3, 4, 5, 6, 7, 8, Epoch{9}, 10, 11, 12, 13, 14, 15}})),
            "01"
            "0100000000000000"
            "0200000000000000"
            "0300000000000000"
            "0400000000000000"
            "0500000000000000"
            "0600000000000000"
            "0700000000000000"
            "0800000000000000"
            "0900000000000000"
            "0a00000000000000"
            "0b00000000000000"
            "0c00000000000000"
            "0d00000000000000"
            "0e000000"
            "0f000000");
}

TaskRow task_row() {
  TaskRow row;
  row.batch = 1;
  row.owner = ServerId{2};
  row.whole = true;
  row.windows = {{3, 4, 5}};
  row.splits = 6;
  row.bytes = 7;
  row.bytes_owned = 8;
  row.needs_survey = true;
  row.odd_quotes = "q";
  row.states = "s";
  row.done = true;
  row.server = ServerId{9};
  row.attempt = AttemptId{10};
  row.spooled = SpooledPartial{11, 12};
  row.result_bytes = 13;
  row.failed_on = {ServerId{14}};
  return row;
}
JobStateRow job_state_row() {
  JobStateRow row;
  row.phase = JobPhase::failed;
  row.over_ns = 1;
  row.failure = Error{Errc::io, "e"};
  row.received = 2, row.pinned = 3, row.cursor_file = 4, row.cursor_offset = 5, row.pin_restarts = 6, row.bytes = 7;
  row.tasks = 8, row.to_survey = 9, row.surveyed = 10, row.mapped = 11, row.states_set = 12, row.inside_quotes = true;
  row.bytes_surveyed = 13, row.bytes_mapped = 14, row.heads_bytes = 15, row.result_bytes = 16;
  row.inline_result_bytes = 17, row.failures = 18, row.merge_failures = 19;
  row.merges = {AttemptId{20}};
  row.output_inode = InodeId{21};
  row.counters = {22, 23, 24, 25, 26};
  row.servers = {{ServerId{27}, 28, {29, 30, 31, 32, 33}}};
  row.hidden_removed = true;
  return row;
}

TEST(RowsTest, TheBytesOfVersionOneOfJobsStay) {
  EXPECT_EQ(hex(encode_row(JobRow{LogIndex{1}, "wc", {{"a", "b"}}, 2, {}, 3, 4, 5, true, false, true, false, 6, true})),
            "01"
            "0100000000000000"
            "020000007763"
            "010000000100000061"
            "0100000062"
            "02000000"
            "00"
            "0300000000000000"
            "0400000000000000"
            "0500000000000000"
            "01000100"
            "0600000001");
  EXPECT_EQ(hex(encode_row(JobFileRow{InodeId{1}, "n", 2, 3, "c", "h"})),
            "01"
            "0100000000000000"
            "010000006e"
            "0200000000000000"
            "0300000000000000"
            "010100000063"
            "0100000068");
  EXPECT_EQ(hex(encode_row(JobChunkRow{{ServerId{1}, ServerId{2}}})),
            "01"
            "02000000"
            "0100000002000000");
  EXPECT_EQ(hex(encode_row(task_row())),
            "01"
            "01000000"
            "02000000"
            "01"
            "010000000300000004000000000000000500000000000000"
            "06000000"
            "0700000000000000"
            "0800000000000000"
            "0100"
            "0100000071"
            "0100000073"
            "01"
            "09000000"
            "0a00000000000000"
            "010b000000000000000c000000"
            "0d000000"
            "010000000e000000");
  EXPECT_EQ(hex(encode_row(TaskResultRow{"p"})),
            "01"
            "0100000070");
  EXPECT_EQ(hex(encode_row(JobsRow{1, {{JobId{2}, 3}}})),
            "01"
            "0100000000000000"
            "0100000002000000000000000300000000000000");
  EXPECT_EQ(hex(encode_row(job_state_row())),
            "01"
            "07"
            "0100000000000000"
            "01180100000065"
            "0200000003000000"
            "040000000500000000000000"
            "06000000"
            "0700000000000000"
            "08000000"
            "090000000a0000000b000000"
            "0c000000"
            "01"
            "0d000000000000000e00000000000000"
            "0f0000000000000010000000000000001100000000000000"
            "1200000013000000"
            "010000001400000000000000"
            "1500000000000000"
            "16000000000000001700000000000000180000000000000019000000000000001a00000000000000"
            "010000001b0000001c000000"
            "1d000000000000001e000000000000001f0000000000000020000000000000002100000000000000"
            "0100");
}

TEST(RowsTest, KeysOfOneTableSortByTheirNumbers) {
  EXPECT_EQ(hex(keys::dentry(InodeId{1}, "ab")),
            "44"
            "0000000000000001"
            "6162");
  EXPECT_EQ(hex(keys::extent(MapId{1}, 256)),
            "46"
            "0000000000000001"
            "0000000000000100");
  EXPECT_EQ(hex(keys::dead_stripe(1, ChunkId{2}, 3)),
            "50"
            "0000000000000001"
            "0000000000000002"
            "0000000000000003");
  EXPECT_EQ(hex(keys::server(ServerId{1})),
            "56"
            "00000001");
  EXPECT_EQ(hex(keys::storage_class(ClassId{1})),
            "57"
            "00000001");
  EXPECT_EQ(hex(keys::cookie(InodeId{1}, 3)),
            "45"
            "0000000000000001"
            "0000000000000003");
  EXPECT_EQ(hex(keys::xattr(InodeId{1}, "user.a")),
            "58"
            "0000000000000001"
            "757365722e61");
  EXPECT_EQ(hex(keys::outcome(SessionId{1}, RequestId{2})),
            "55"
            "0000000000000001"
            "0000000000000002");
  EXPECT_EQ(hex(keys::job_extent(JobId{1}, 2, 3)),
            "59"
            "0000000000000001"
            "00000002"
            "0000000000000003");
  EXPECT_EQ(hex(keys::job_task(JobId{1}, 2)),
            "54"
            "0000000000000001"
            "00000002");
  EXPECT_LT(keys::stripe(ChunkId{1}, 256), keys::stripe(ChunkId{1}, 257));
  EXPECT_LT(keys::stripe(ChunkId{255}, 9), keys::stripe(ChunkId{256}, 0));
  EXPECT_LT(keys::extent(MapId{7}, UINT64_MAX), keys::last(Table::extent, 7));
  EXPECT_LE(keys::last(Table::extent, 7), keys::extent(MapId{8}, 0));
  EXPECT_LT(keys::inode(InodeId{UINT64_MAX}), keys::last(Table::inode, UINT64_MAX));
}

TEST(RowsTest, KeysOfTheWrongFormAreCorrupt) {
  for (const std::string& key :
       {std::string(), std::string("I"), keys::inode(InodeId{1}) + "x", keys::chunk(ChunkId{1})}) {
    keys::Reader reader(Table::inode, key);
    (void)reader.number();
    EXPECT_EQ(reader.finish().ok() ? Errc{} : reader.finish().code(), Errc::corrupt) << hex(key);
  }
}

template <typename Row>
void damage(const Row& row) {
  Any any(5);
  const std::string good = encode_row(row);
  ASSERT_TRUE(decode_row<Row>(good).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    const Result<Row> cut = decode_row<Row>(good.substr(0, size));
    ASSERT_FALSE(cut.ok());
    ASSERT_EQ(cut.code(), Errc::corrupt);
  }
  EXPECT_FALSE(decode_row<Row>(good + "x").ok());
  std::string newer = good;
  newer[0] = 2;
  EXPECT_FALSE(decode_row<Row>(newer).ok());
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = any.damaged(good);
    if (const Result<Row> decoded = decode_row<Row>(bytes); decoded.ok()) {
      EXPECT_EQ(encode_row(*decoded), bytes);
    }
  }
}

TEST(RowsTest, DamagedValuesAreCorruptOrOtherValues) {
  damage(DentryRow{LogIndex{1}, InodeId{2}, 3});
  damage(CookieRow{LogIndex{1}, InodeId{2}, "name"});
  damage(InodeRow{});
  damage(ExtentRow{LogIndex{1}, {0, 2, ChunkId{3}, 4096, 5, {{2, 1}, 4096, 4096, 3}}});
  damage(BirthRow{LogIndex{7}});
  ChunkRow chunk;
  chunk.info.code = {1, 1};
  chunk.info.servers = {ServerId{1}, ServerId{2}};
  damage(chunk);
  damage(StripeRow{LogIndex{1}, {{2, 1}, 4096, 4096, 3}, 4, StripeState::dead, 5});
  damage(ChunkRefRow{8});
  damage(DeadStripeRow{8192});
  damage(SessionRow{LogIndex{1}, {"mount", "host", 5, true, 6}, 7});
  damage(NonceRow{SessionId{1}});
  damage(OutcomeWindowRow{RequestId{5}, RequestId{4}});
  damage(ServerRow{LogIndex{1}, "uuid", {"host", 5}, {"s", "r", "h", "d"}});
  damage(ServerStateRow{LogIndex{1}, ServerState::removed});
  damage(StaleShardRow{5});
  damage(UuidRow{ServerId{1}});
  damage(ClassRow{LogIndex{1}, {ClassId{1}, "name", {4, 2}, 4096, "host"}});
  damage(ClassNameRow{ClassId{1}});
  damage(AppliedRow{});
  damage(CountersRow{});
  damage(IdentityRow{});
  damage(JobRow{LogIndex{1}, "wc", {{"a", "b"}, {"c", "d"}}, 2, JobOutput{}, 3, 4, 5, true, false, true});
  damage(job_state_row());
  damage(JobFileRow{InodeId{1}, "n", 2, 3, "c", "h"});
  damage(JobChunkRow{{ServerId{1}, ServerId{2}}});
  damage(task_row());
  damage(TaskResultRow{"partial"});
  damage(JobsRow{1, {{JobId{2}, 3}}});
}

TEST(RowsTest, AnExtentThatCannotBeUsedInArithmeticIsCorrupt) {
  const Extent good{0, 100, ChunkId{3}, 4096, 5, {{2, 1}, 4096, 4096, 3}};
  const auto decode = [](const Extent& extent, uint64_t end) {
    return decode_extent(keys::extent(MapId{1}, end), encode_row(ExtentRow{{}, extent}));
  };
  ASSERT_TRUE(decode(good, 300).ok());
  EXPECT_EQ(decode(good, 300)->offset, 200u);
  EXPECT_FALSE(decode(good, 99).ok()) << "it would start below zero";
  Extent bad = good;
  bad.shape.cell_bytes = 0;
  EXPECT_FALSE(decode(bad, 300).ok());
  bad = good;
  bad.shape.code.d = 0;
  EXPECT_FALSE(decode(bad, 300).ok());
  bad = good;
  bad.position = 1 << 20;
  EXPECT_FALSE(decode(bad, 300).ok());
}

}  // namespace
}  // namespace cairn
