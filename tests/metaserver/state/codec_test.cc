// Commands and outcomes as bytes: round trips, bytes that never change, and damage.
#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "metaserver/state/command_codec.h"
#include "tests/metaserver/state/any_command.h"

namespace cairn {
namespace {

using test::Any;
using test::hex;

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

}  // namespace
}  // namespace cairn
