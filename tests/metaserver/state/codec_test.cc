// Commands, outcomes and rows as bytes: round trips, bytes that never change, and damage.
#include <gtest/gtest.h>

#include <random>

#include "common/base/bytes.h"
#include "metaserver/state/command_codec.h"
#include "metaserver/state/job_rows.h"
#include "metaserver/state/rows.h"

namespace cairn {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  return text;
}

// Random values, field by field, of what commands and outcomes consist of.
class Any {
 public:
  explicit Any(uint64_t seed) : random_(seed) {}
  uint64_t number() { return random_() >> (random_() % 64); }
  uint64_t below(uint64_t bound) { return random_() % bound; }
  bool coin() { return below(2) == 0; }
  std::string text() {
    std::string bytes(below(20), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }
  template <typename T>
  std::optional<T> maybe(T value) {
    return coin() ? std::optional<T>(value) : std::nullopt;
  }
  template <typename Id>
  Id id() {
    return Id{static_cast<std::underlying_type_t<Id>>(number())};
  }
  template <typename Make>
  auto list(Make make) {
    std::vector<decltype(make())> values;
    for (uint64_t left = below(4); left > 0; --left) values.push_back(make());
    return values;
  }
  uint32_t u32() { return static_cast<uint32_t>(number()); }
  Time time() { return {static_cast<int64_t>(number()), u32()}; }
  Code code() { return {static_cast<uint8_t>(number()), static_cast<uint8_t>(number())}; }
  std::vector<ChunkId> chunk_ids() {
    return list([&] { return id<ChunkId>(); });
  }
  Extent extent() { return {number(), number(), id<ChunkId>(), number(), number(), {code(), u32(), u32(), u32()}}; }
  Attributes attributes() {
    return {id<InodeId>(), number(), u32(),  u32(),  u32(),  u32(),         number(),
            number(),      number(), time(), time(), time(), id<ClassId>(), u32()};
  }
  ChunkInfo chunk() {
    return {id<ChunkId>(), id<ClassId>(), code(),      list([&] { return id<ServerId>(); }),
            coin(),        number(),      id<Epoch>(), id<Incarnation>(),
            number(),      u32(),         number()};
  }
  StaleShard stale_shard() { return {id<ServerId>(), id<ChunkId>(), static_cast<uint8_t>(number())}; }
  CommandBody body(size_t number_of_body);
  Answer answer(size_t number_of_answer) {
    switch (number_of_answer) {
      case 0:
        return std::monostate();
      case 1:
        return Entry{id<InodeId>(), text(), attributes(), number()};
      case 2:
        return attributes();
      case 3:
        return Removed{id<InodeId>(), u32(), coin()};
      case 4:
        return Renamed{attributes(), id<InodeId>(), u32()};
      case 5:
        return Committed{list([&] { return attributes(); }), list([&] { return id<InodeId>(); })};
      case 6:
        return list([&] { return chunk(); });
      case 7:
        return id<SessionId>();
      case 8:
        return id<ServerId>();
      case 9:
        return id<ClassId>();
      case 10:
        return id<JobId>();
      case 11:
        return static_cast<TaskVerdict>(below(5));
      default:
        return JobFinished{static_cast<TaskVerdict>(below(5)), {attributes(), id<InodeId>(), u32()}};
    }
  }
  JobOutput output() {
    return {id<InodeId>(), text(), coin(), static_cast<TableFormat>(1 + below(2)), u32(), u32(), u32()};
  }
  std::map<std::string, std::string> arguments() { return {{text(), text()}, {text(), text()}}; }
  TaskCounters counters() { return {number(), number(), number(), number(), number()}; }
  TaskRef ref() { return {id<JobId>(), static_cast<JobPhase>(below(9)), u32(), id<AttemptId>()}; }
  Error error() { return {static_cast<Errc>(1 + below(20)), text()}; }
  CommandBody job_body(size_t number_of_body);
  std::string damaged(std::string bytes) {
    if (!bytes.empty() && coin()) {
      bytes[below(bytes.size())] ^= static_cast<char>(1 + below(255));
    } else if (coin()) {
      bytes.resize(below(bytes.size() + 1));
    } else {
      bytes += text();
    }
    return bytes;
  }

 private:
  std::mt19937_64 random_;
};

CommandBody Any::body(size_t number_of_body) {
  switch (number_of_body) {
    case 0:
      return MakeNode{id<InodeId>(), text(), u32(), u32(), u32(), number(), text()};
    case 1:
      return LinkNode{id<InodeId>(), id<InodeId>(), text()};
    case 2:
      return RemoveName{id<InodeId>(), text(), coin()};
    case 3:
      return Rename{id<InodeId>(), text(), id<InodeId>(), text(), u32()};
    case 4:
      return SetAttributes{id<InodeId>(),   maybe(u32()),  maybe(u32()),  maybe(u32()),
                           maybe(number()), maybe(time()), maybe(time()), maybe(time())};
    case 5:
      return SetXattr{id<InodeId>(), text(), text(), u32()};
    case 6:
      return RemoveXattr{id<InodeId>(), text()};
    case 7:
      return TrimRange{id<InodeId>(), number(), number(), time()};
    case 8:
      return ForgetOrphans{list([&] { return id<InodeId>(); })};
    case 9:
      return Commit{list([&] {
                      return FileCommit{id<InodeId>(), list([&] { return extent(); }), number(), time(), maybe(text())};
                    }),
                    list([&] {
                      return ChunkCommit{id<ChunkId>(), id<Epoch>(), number(), number()};
                    })};
    case 10:
      return SealChunks{chunk_ids()};
    case 11:
      return OpenSession{{text(), text(), static_cast<int32_t>(number()), coin(), number()}};
    case 12:
      return EndSession{id<SessionId>(), coin()};
    case 13:
      return CreateChunks{list([&] {
        return PlannedChunk{id<ClassId>(), code(), list([&] { return id<ServerId>(); }), u32(), number()};
      })};
    case 14:
      return RegisterServer{text(), {text(), static_cast<uint16_t>(number())}, {text(), text(), text(), text()}};
    case 15:
      return DefineClass{{id<ClassId>(), text(), code(), u32(), text()}};
    case 16:
      return SealForRepair{chunk_ids()};
    case 17:
      return ReleaseExtents{id<InodeId>(), u32()};
    case 18:
      return CondemnChunks{chunk_ids()};
    case 19:
      return ChunksRemoved{chunk_ids()};
    case 20:
      return StripesPunched{list([&] { return DeadStripe{id<ChunkId>(), number()}; })};
    case 21:
      return SealsConfirmed{chunk_ids()};
    case 22:
      return PinOrphan{id<InodeId>(), list([&] { return id<SessionId>(); })};
    default:
      return job_body(number_of_body);
  }
}

CommandBody Any::job_body(size_t number_of_body) {
  switch (number_of_body) {
    case 23:
      return AdmitJob{{text(), arguments(), u32(), maybe(output()), number(), static_cast<int64_t>(number())},
                      coin(),
                      coin(),
                      coin(),
                      coin(),
                      u32(),
                      coin()};
    case 24:
      return AddJobInputs{id<JobId>(), u32(), list([&] { return JobInput{id<InodeId>(), text()}; })};
    case 25:
      return CancelJob{id<JobId>()};
    case 26:
      return FinishTask{ref(),
                        id<ServerId>(),
                        counters(),
                        maybe(error()),
                        text(),
                        list([&] {
                          return FileHead{u32(), text()};
                        }),
                        text(),
                        maybe(SpooledPartial{number(), u32()}),
                        list([&] {
                          return TaskOutput{u32(), id<InodeId>(), number(), coin()};
                        })};
    case 27:
      return FinishJob{ref(), id<ServerId>(), counters(), id<InodeId>()};
    case 28:
      return LostResult{id<JobId>(), u32(), id<AttemptId>()};
    case 29:
      return PinInputs{id<JobId>(), u32(), u32()};
    case 30:
      return CutTasks{id<JobId>(), u32()};
    case 31:
      return SetQuoteStates{id<JobId>()};
    case 32:
      return StartMerge{id<JobId>(), id<AttemptId>(), id<ServerId>()};
    case 33:
      return FailJob{id<JobId>(), error()};
    case 34:
      return RemoveJobRows{id<JobId>(), u32(), coin()};
    case 35:
      return FreeReplaced{id<SessionId>(), id<InodeId>()};
    case 36:
      return MakeAnonymous{id<InodeId>(), text()};
    case 37:
      return PlanShards{{stale_shard(), stale_shard()}};
    case 38:
      return MoveShards{{{id<ChunkId>(), static_cast<uint8_t>(number()), id<ServerId>(), id<ServerId>()}}};
    case 39:
      return StaleShardsRemoved{{stale_shard()}};
    default:
      return SetServerState{id<ServerId>(), ServerState::draining};
  }
}

TEST(CommandCodecTest, EveryCommandComesBackAsItWas) {
  Any any(1);
  for (int round = 0; round < 200; ++round) {
    for (size_t number = 0; number < std::variant_size_v<CommandBody>; ++number) {
      Command command{{any.id<SessionId>(), any.id<RequestId>(), any.id<RequestId>()},
                      static_cast<int64_t>(any.number()),
                      any.body(number)};
      ASSERT_EQ(command.body.index(), number);
      const std::string bytes = encode_command(command);
      const Result<Command> decoded = decode_command(bytes);
      ASSERT_TRUE(decoded.ok()) << name_of(command.body);
      ASSERT_EQ(decoded->body.index(), number);
      ASSERT_EQ(encode_command(*decoded), bytes);  // the golden bytes below tie these bytes to the fields
    }
  }
}

TEST(CommandCodecTest, EveryOutcomeComesBackAsItWas) {
  Any any(2);
  for (int round = 0; round < 200; ++round) {
    for (size_t number = 0; number < std::variant_size_v<Answer>; ++number) {
      const Outcome outcome = any.answer(number);
      const std::string bytes = encode_outcome(outcome);
      const Result<Outcome> decoded = decode_outcome(bytes);
      ASSERT_TRUE(decoded.ok() && decoded->ok());
      ASSERT_EQ((*decoded)->index(), number);
      ASSERT_EQ(encode_outcome(*decoded), bytes);
    }
  }
  const Result<Outcome> error = decode_outcome(encode_outcome(Error{Errc::not_empty, "why"}));
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->code(), Errc::not_empty);
  EXPECT_EQ(error->error().what, "why");
}

TEST(CommandCodecTest, DamageIsAnErrorOrAnotherValueButNeverWorse) {
  Any any(3);
  for (int round = 0; round < 20'000; ++round) {
    const size_t number = any.below(std::variant_size_v<CommandBody>);
    const std::string command = any.damaged(encode_command({{}, 1, any.body(number)}));
    if (const Result<Command> decoded = decode_command(command); decoded.ok()) {
      EXPECT_EQ(encode_command(*decoded), command) << "read differently than written";
    } else {
      EXPECT_EQ(decoded.code(), Errc::corrupt);
    }
    const std::string outcome = any.damaged(encode_outcome(any.answer(any.below(std::variant_size_v<Answer>))));
    if (const Result<Outcome> decoded = decode_outcome(outcome); decoded.ok()) {
      EXPECT_EQ(encode_outcome(*decoded), outcome);
    } else {
      EXPECT_EQ(decoded.code(), Errc::corrupt);
    }
    std::string noise = any.text() + any.text();
    if (!noise.empty() && any.coin()) noise[0] = 1;
    (void)decode_command(noise).ok();
    (void)decode_outcome(noise).ok();
  }
}

TEST(CommandCodecTest, AMapWhoseKeysDoNotAscendIsDamaged) {
  std::string bytes =
      encode_command({{}, 1, AdmitJob{{"wc", {{"a", "1"}, {"b", "2"}}, 1, {}, 1, 1}, false, false, false}});
  ASSERT_TRUE(decode_command(bytes).ok());
  bytes[bytes.find('a')] = 'b';
  EXPECT_EQ(decode_command(bytes).code(), Errc::corrupt);
}

TEST(CommandCodecTest, ACountBeyondTheInputAllocatesNothing) {
  std::string bytes = encode_command({{}, 1, ForgetOrphans{{InodeId{1}}}});
  bytes.replace(bytes.size() - 12, 4, "\xff\xff\xff\x7f");
  EXPECT_EQ(decode_command(bytes).code(), Errc::corrupt);
}

TEST(CommandCodecTest, TheBytesOfVersionOneStay) {
  const Mutation mutation{SessionId{2}, RequestId{3}, RequestId{1}};
  EXPECT_EQ(hex(encode_command({mutation, 5, MakeNode{InodeId{1}, "ab", 0100644, 7, 8, 0, ""}})),
            "0100"
            "0200000000000000"
            "0300000000000000"
            "0100000000000000"
            "0500000000000000"
            "0100000000000000"
            "020000006162"
            "a4810000"
            "07000000"
            "08000000"
            "0000000000000000"
            "00000000");
  SetAttributes attributes;
  attributes.inode = InodeId{9};
  attributes.size = 4;
  attributes.mtime = Time{1, 2};
  EXPECT_EQ(hex(encode_command({mutation, -1, attributes})),
            "0104"
            "0200000000000000"
            "0300000000000000"
            "0100000000000000"
            "ffffffffffffffff"
            "0900000000000000"
            "00"
            "00"
            "00"
            "010400000000000000"
            "00"
            "01010000000000000002000000"
            "00");
  const Extent extent{4096, 100, ChunkId{5}, 8192, 6, {{4, 2}, 4096, 8192, 3}};
  EXPECT_EQ(hex(encode_command(
                {{}, 0, Commit{{{InodeId{9}, {extent}, 4196, {1, 2}, "x"}}, {{ChunkId{5}, Epoch{7}, 8192, 20480}}}})),
            "0109"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "01000000"
            "0900000000000000"
            "01000000"
            "0010000000000000"
            "6400000000000000"
            "0500000000000000"
            "0020000000000000"
            "0600000000000000"
            "0402"
            "00100000"
            "00200000"
            "03000000"
            "6410000000000000"
            "010000000000000002000000"
            "010100000078"
            "01000000"
            "0500000000000000"
            "0700000000000000"
            "0020000000000000"
            "0050000000000000");
  const SubmitJob job{"wc", {{"a", "b"}}, 2, JobOutput{InodeId{3}, "o", true, TableFormat::csv, 4, 5, 6}, 7, 8};
  EXPECT_EQ(hex(encode_command({{}, 0, AdmitJob{job, true, false, true}})),
            "0117"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "020000007763"
            "01000000"
            "0100000061"
            "0100000062"
            "02000000"
            "01"
            "0300000000000000"
            "010000006f"
            "01"
            "01"
            "040000000500000006000000"
            "0700000000000000"
            "0800000000000000"
            "01000100"
            "0000000000");
  FinishTask done{{JobId{1}, JobPhase::mapping, 2, AttemptId{3}},
                  ServerId{4},
                  {5, 6, 7, 8, 9},
                  {},
                  "q",
                  {{10, "h"}},
                  "p",
                  SpooledPartial{11, 12},
                  {{13, InodeId{14}, 15, true}}};
  EXPECT_EQ(hex(encode_command({{}, 0, done})),
            "011a"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "0100000000000000"
            "04"
            "02000000"
            "0300000000000000"
            "04000000"
            "05000000000000000600000000000000070000000000000008000000000000000900000000000000"
            "00"
            "0100000071"
            "010000000a0000000100000068"
            "0100000070"
            "010b000000000000000c000000"
            "010000000d0000000e000000000000000f0000000000000001");
  EXPECT_EQ(hex(encode_command({{}, 0, MakeAnonymous{InodeId{1}, "p"}})),
            "0124"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "0100000000000000"
            "0100000070");
  EXPECT_EQ(hex(encode_outcome(Error{Errc::exists, "no"})), "010002020000006e6f");
  EXPECT_EQ(hex(encode_outcome(Answer(Removed{InodeId{5}, 1, true}))),
            "0104"
            "0500000000000000"
            "01000000"
            "01");
}

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
