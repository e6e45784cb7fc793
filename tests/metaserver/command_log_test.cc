#include "metaserver/log/command_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "common/base/bytes.h"
#include "common/base/checksum.h"
#include "tests/sim/sim_disk.h"

namespace cairn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr Incarnation kIncarnation{0x1234};
const std::string kDirectory = "/meta/log";
const std::string kFirstSegment = kDirectory + "/log-0000000000000001";

class CommandLogTest : public testing::Test {
 protected:
  Result<std::unique_ptr<CommandLog>> open(uint64_t segment_bytes = 16u << 20) {
    return CommandLog::open(disk_, {kDirectory, segment_bytes, 7, {}});
  }
  std::unique_ptr<CommandLog> must_open(uint64_t segment_bytes = 16u << 20) {
    auto log = open(segment_bytes);
    EXPECT_TRUE(log.ok()) << (log.ok() ? "" : log.error().what);
    return log.ok() ? std::move(*log) : nullptr;
  }
  std::unique_ptr<CommandLog> new_log(uint64_t segment_bytes = 16u << 20) {
    auto log = must_open(segment_bytes);
    EXPECT_TRUE(log->begin(kIncarnation, LogIndex{1}).ok());
    return log;
  }
  static std::string command(uint64_t index) {
    return fmt::format("command {} {}", index, std::string(index % 50, 'x'));
  }
  static void append(CommandLog& log, uint64_t first, uint64_t count) {
    std::vector<std::string> commands;
    for (uint64_t i = first; i < first + count; ++i) commands.push_back(command(i));
    const Status done = log.append(LogIndex{first}, commands);
    ASSERT_TRUE(done.ok()) << done.error().what;
  }
  // Checks that the log holds exactly the commands [from, last], and returns last.
  static uint64_t replayed_until(CommandLog& log, uint64_t from) {
    uint64_t next = from;
    const Status done = log.replay(LogIndex{from}, [&](LogIndex index, std::span<const uint8_t> bytes) {
      EXPECT_EQ(raw(index), next);
      EXPECT_EQ(text_of(bytes), command(next));
      ++next;
      return Status{};
    });
    EXPECT_TRUE(done.ok());
    return next - 1;
  }
  std::vector<uint8_t> contents(const std::string& path) {
    auto file = disk_.open(path, OpenMode::read_only);
    std::vector<uint8_t> bytes((*file)->size().value());
    EXPECT_EQ((*file)->read_at(0, bytes).value(), bytes.size());
    return bytes;
  }
  void write_file(const std::string& path, std::span<const uint8_t> bytes) {
    auto file = disk_.open(path, OpenMode::create);
    ASSERT_TRUE((*file)->truncate(0).ok());
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    ASSERT_TRUE((*file)->write_at(0, {&piece, 1}).ok());
    ASSERT_TRUE((*file)->sync_data().ok());
    ASSERT_TRUE(disk_.sync_directory(kDirectory).ok());
  }

  SimScheduler scheduler_{1};
  SimDisk disk_{scheduler_, 1};
};

TEST_F(CommandLogTest, HoldsWhatWasAppendedOverRollsAndRestarts) {
  auto log = new_log(1000);
  for (uint64_t i = 1; i <= 300; i += 3) append(*log, i, 3);
  EXPECT_GT(disk_.list(kDirectory)->size(), 5u);
  log = must_open(1000);
  EXPECT_EQ(raw(log->first()), 1u);
  EXPECT_EQ(raw(log->last()), 300u);
  EXPECT_EQ(log->incarnation(), kIncarnation);
  for (const uint64_t from : {1u, 2u, 150u, 299u, 300u}) EXPECT_EQ(replayed_until(*log, from), 300u);
  append(*log, 301, 2);
  EXPECT_EQ(replayed_until(*must_open(1000), 1), 302u);
}

TEST_F(CommandLogTest, CutsATornTailAtEveryByteAndGoesOn) {
  {
    auto log = new_log();
    append(*log, 1, 1);
    append(*log, 2, 4);
    append(*log, 6, 2);
  }
  const auto whole = contents(kFirstSegment);
  std::vector<uint64_t> ends;  // of the entries
  {
    const SegmentHeader header = decode_segment_header(whole).value();
    for (uint64_t size = kSegmentHeaderBytes; size <= whole.size(); ++size) {
      const auto scan = scan_segment(header, std::span(whole).first(size),
                                     [](LogIndex, std::span<const uint8_t>) { return Status{}; });
      if (scan->clean) ends.push_back(size);
    }
  }
  ASSERT_EQ(ends.size(), 4u);  // none, and three
  const uint64_t last_after[] = {0, 1, 5, 7};
  for (uint64_t size = 0; size <= whole.size(); ++size) {
    write_file(kFirstSegment, std::span(whole).first(size));
    auto log = must_open();
    ASSERT_NE(log, nullptr);
    if (size < kSegmentHeaderBytes) {
      EXPECT_TRUE(log->empty()) << size;
      continue;
    }
    uint64_t last = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      if (ends[i] <= size) last = last_after[i];
    }
    EXPECT_EQ(raw(log->last()), last) << "cut at " << size;
    EXPECT_EQ(replayed_until(*log, 1), last);
    append(*log, last + 1, 2);
    EXPECT_EQ(replayed_until(*must_open(), 1), last + 2) << "cut at " << size;
  }
}

TEST_F(CommandLogTest, RefusesAFlippedBitBeforeTheLastEntryAndNamesFileAndOffset) {
  uint64_t last_entry = 0;
  {
    auto log = new_log();
    append(*log, 1, 2);
    append(*log, 3, 2);
    last_entry = log->bytes();
    append(*log, 5, 2);
  }
  const auto whole = contents(kFirstSegment);
  for (uint64_t at = 0; at < whole.size(); ++at) {
    auto flipped = whole;
    flipped[at] ^= static_cast<uint8_t>(1u << (at % 8));
    write_file(kFirstSegment, flipped);
    auto log = open();
    if (at < last_entry) {
      ASSERT_FALSE(log.ok()) << "byte " << at;
      EXPECT_EQ(log.code(), Errc::corrupt);
      EXPECT_THAT(log.error().what, AllOf(HasSubstr(kFirstSegment), HasSubstr("offset")));
    } else {  // could be the torn write of a batch that nobody was told of
      ASSERT_TRUE(log.ok()) << "byte " << at << ": " << log.error().what;
      EXPECT_EQ(replayed_until(**log, 1), 4u);
    }
  }
}

TEST_F(CommandLogTest, ATornTailThatTheStoreHoldsWasAcknowledgedAndIsNotCut) {
  {
    auto log = new_log();
    append(*log, 1, 2);
    append(*log, 3, 2);
  }
  auto bytes = contents(kFirstSegment);
  bytes.back() ^= 1;
  write_file(kFirstSegment, bytes);
  const auto log = CommandLog::open(disk_, {.directory = kDirectory, .acknowledged = LogIndex{3}});
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(log.error().what, HasSubstr("acknowledged"));
  EXPECT_EQ(contents(kFirstSegment), bytes) << "left as it is";
  EXPECT_TRUE(CommandLog::open(disk_, {.directory = kDirectory, .acknowledged = LogIndex{2}}).ok());
}

TEST_F(CommandLogTest, RefusesDamageAtTheEndOfAnOlderSegment) {
  {
    auto log = new_log(200);
    for (uint64_t i = 1; i <= 20; ++i) append(*log, i, 1);
  }
  auto bytes = contents(kFirstSegment);
  bytes.resize(bytes.size() - 1);
  write_file(kFirstSegment, bytes);
  const auto log = open();
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.code(), Errc::corrupt);
}

TEST_F(CommandLogTest, RefusesGapsRenamedAndForeignSegments) {
  {
    auto log = new_log(200);
    for (uint64_t i = 1; i <= 20; ++i) append(*log, i, 1);
  }
  const auto names = *disk_.list(kDirectory);
  ASSERT_GT(names.size(), 3u);
  const std::string second = kDirectory + "/" + names[1];
  const auto bytes = contents(second);

  ASSERT_TRUE(disk_.remove(second).ok());
  auto log = open();
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(log.error().what, HasSubstr("A segment is missing"));

  const SegmentHeader header = decode_segment_header(bytes).value();
  auto foreign = bytes;
  const std::string other = encode_segment_header({Incarnation{99}, header.first, header.salt});
  std::copy(other.begin(), other.end(), foreign.begin());
  write_file(second, foreign);
  log = open();
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(log.error().what, HasSubstr("another database"));

  ASSERT_TRUE(disk_.remove(second).ok());
  write_file(kDirectory + "/log-00000000000000ff", bytes);
  log = open();
  EXPECT_FALSE(log.ok());
}

TEST_F(CommandLogTest, RefusesALaterFormat) {
  (void)new_log();
  auto bytes = contents(kFirstSegment);
  ByteWriter later;
  later.raw(std::span<const uint8_t>(bytes).first(8)).u32(2).raw(std::span<const uint8_t>(bytes).subspan(12, 28));
  later.u32(crc32c(bytes_of(later.view()))).u32(0);
  write_file(kFirstSegment, bytes_of(later.view()));
  const auto log = open();
  ASSERT_FALSE(log.ok());
  EXPECT_THAT(log.error().what, HasSubstr("newer"));
}

TEST_F(CommandLogTest, CutsGarbageBehindTheLastEntry) {
  {
    auto log = new_log();
    append(*log, 1, 2);
  }
  const auto whole = contents(kFirstSegment);
  // Zeros as a delayed allocation leaves them, noise, and an entry of another segment, which does not count as a later
  // one.
  const std::string stale = encode_entry({kIncarnation, LogIndex{1}, 999}, LogIndex{3}, {"stale"});
  for (const std::string& tail : {std::string(5000, '\0'), std::string(777, '\xa5'), stale, "ENTY" + stale}) {
    auto bytes = whole;
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    write_file(kFirstSegment, bytes);
    auto log = must_open();
    EXPECT_EQ(log->cut_bytes(), tail.size());
    EXPECT_EQ(replayed_until(*log, 1), 2u);
  }
}

TEST_F(CommandLogTest, TrimRemovesOnlyWholeSegmentsThatAreNotNeeded) {
  auto log = new_log(200);
  for (uint64_t i = 1; i <= 40; ++i) append(*log, i, 1);
  const uint64_t before = log->bytes();
  ASSERT_TRUE(log->trim(LogIndex{20}).ok());
  EXPECT_LE(raw(log->first()), 21u);
  EXPECT_GT(raw(log->first()), 1u);
  EXPECT_LT(log->bytes(), before);
  EXPECT_EQ(replayed_until(*log, 21), 40u);
  ASSERT_TRUE(log->trim(LogIndex{40}).ok());
  EXPECT_EQ(disk_.list(kDirectory)->size(), 1u);
  log = must_open(200);
  EXPECT_EQ(raw(log->last()), 40u);
  append(*log, 41, 1);
}

TEST_F(CommandLogTest, AFailedWriteOrSyncIsFinal) {
  for (const DiskOperation operation : {DiskOperation::write, DiskOperation::sync}) {
    auto log = must_open();
    if (log->empty()) {
      ASSERT_TRUE(log->begin(kIncarnation, LogIndex{1}).ok());
    }
    const uint64_t last = raw(log->last());
    append(*log, last + 1, 1);
    disk_.add_fault({.operation = operation, .path_part = "log-", .times = 1});
    EXPECT_FALSE(log->append(LogIndex{last + 2}, {command(last + 2)}).ok());
    EXPECT_FALSE(log->append(LogIndex{last + 2}, {command(last + 2)}).ok())
        << "the fault is over, but the log has failed";
    log.reset();
    disk_.crash();
    log = must_open();
    EXPECT_GE(raw(log->last()), last + 1) << "what was acknowledged is there";
  }
}

// The kernel shows what a failed sync did not store, and calls it clean: a sync after a restart would not store it
// either.
TEST_F(CommandLogTest, WhatIsSeenAfterAFailedSyncIsStoredByTheNextStart) {
  auto log = new_log();
  append(*log, 1, 1);
  disk_.add_fault({.operation = DiskOperation::sync, .times = 1});
  EXPECT_FALSE(log->append(LogIndex{2}, {command(2)}).ok());
  log.reset();  // the process ends itself
  disk_.clear_faults();
  log = must_open();
  ASSERT_EQ(log->last(), LogIndex{2});  // applied, and answered to a retry
  append(*log, 3, 1);
  log.reset();
  disk_.crash();
  log = must_open();
  EXPECT_EQ(replayed_until(*log, 1), 3u);
}

TEST_F(CommandLogTest, AFullDiskRefusesABatchWholeAndTheLogGoesOn) {
  for (uint64_t free_pages = 0; free_pages < 12; ++free_pages) {
    ASSERT_TRUE(disk_.remove(kFirstSegment).ok() || free_pages == 0);
    auto log = new_log();
    append(*log, 1, 3);
    const auto before = contents(kFirstSegment);
    disk_.set_capacity(disk_.used_bytes() + free_pages * 4096);
    const std::vector<std::string> large = {std::string(20'000, 'a'), std::string(30'000, 'b')};
    EXPECT_EQ(log->append(LogIndex{4}, large).code(), Errc::no_space);
    EXPECT_EQ(raw(log->last()), 3u);
    EXPECT_EQ(log->bytes(), before.size());
    EXPECT_EQ(contents(kFirstSegment), before) << "nothing of it is left, with " << free_pages << " pages free";
    append(*log, 4, 1);  // fits into the page that is there
    disk_.set_capacity(uint64_t{1} << 40);
    append(*log, 5, 1);
    log = must_open();
    EXPECT_EQ(log->cut_bytes(), 0u);
    EXPECT_EQ(replayed_until(*log, 1), 5u);
  }
}

TEST_F(CommandLogTest, AFullDiskAtARollOverLeavesNoHalfSegment) {
  auto log = new_log(100);
  append(*log, 1, 3);
  disk_.set_capacity(disk_.used_bytes());
  EXPECT_EQ(log->append(LogIndex{4}, {command(4)}).code(), Errc::no_space);
  EXPECT_EQ(log->append(LogIndex{4}, {command(4)}).code(), Errc::no_space);
  EXPECT_EQ(disk_.list(kDirectory)->size(), 1u);
  disk_.set_capacity(uint64_t{1} << 40);
  append(*log, 4, 2);
  EXPECT_EQ(disk_.list(kDirectory)->size(), 2u);
  EXPECT_EQ(replayed_until(*must_open(100), 1), 5u);
}

TEST_F(CommandLogTest, ATailThatCannotBeRestoredNowIsRestoredBeforeTheNextBatch) {
  auto log = new_log();
  append(*log, 1, 3);
  // The write fails, and so does the truncation of what it has left.
  disk_.add_fault({.operation = DiskOperation::write, .path_part = "log-", .code = Errc::no_space, .times = 2});
  EXPECT_EQ(log->append(LogIndex{4}, {std::string(20'000, 'a')}).code(), Errc::no_space);
  auto bytes = contents(kFirstSegment);
  bytes.resize(bytes.size() + 20'000, 'a');
  write_file(kFirstSegment, bytes);
  append(*log, 4, 1);
  log = must_open();
  EXPECT_EQ(log->cut_bytes(), 0u);
  EXPECT_EQ(replayed_until(*log, 1), 4u);
}

TEST_F(CommandLogTest, APowerCutInAFullDiskLosesNothingThatWasAcknowledged) {
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(disk_.remove(kFirstSegment).ok() || round == 0);
    auto log = new_log();
    append(*log, 1, 3);
    disk_.set_capacity(disk_.used_bytes() + 3 * 4096);
    EXPECT_EQ(log->append(LogIndex{4}, {std::string(30'000, 'a')}).code(), Errc::no_space);
    append(*log, 4, 1);
    EXPECT_EQ(log->append(LogIndex{5}, {std::string(30'000, 'a')}).code(), Errc::no_space);
    log.reset();
    disk_.crash();
    disk_.set_capacity(uint64_t{1} << 40);
    log = must_open();
    EXPECT_EQ(replayed_until(*log, 1), 4u);
    append(*log, 5, 1);
  }
}

TEST_F(CommandLogTest, ASyncThatFailsForWantOfSpaceIsFinal) {
  auto log = new_log();
  append(*log, 1, 1);
  disk_.add_fault({.operation = DiskOperation::sync, .path_part = "log-", .code = Errc::no_space, .times = 1});
  EXPECT_EQ(log->append(LogIndex{2}, {command(2)}).code(), Errc::io) << "what the disk holds is unknown";
  EXPECT_EQ(log->append(LogIndex{2}, {command(2)}).code(), Errc::io);
}

TEST_F(CommandLogTest, AnIndexThatDoesNotFollowIsRefused) {
  auto log = new_log();
  append(*log, 1, 3);
  EXPECT_EQ(log->append(LogIndex{3}, {"again"}).code(), Errc::invalid);
  EXPECT_EQ(log->append(LogIndex{5}, {"gap"}).code(), Errc::invalid);
  append(*log, 4, 1);
}

TEST(LogFormatTest, GoldenBytes) {
  const SegmentHeader header{Incarnation{0x0102030405060708}, LogIndex{0x11}, 0xa1a2a3a4b1b2b3b4};
  const auto hex = [](const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(byte));
    return text;
  };
  EXPECT_EQ(hex(encode_segment_header(header)),
            "434149524e4c4f47010000003000000008070605040302011100000000000000b4b3b2b1a4a3a2a1d8ec7f2a00000000");
  EXPECT_EQ(hex(encode_entry(header, LogIndex{0x11}, {"ab", ""})),
            "454e54590a0000001100000000000000020000002a15ec5100000000f91a4fe202000000616200000000");
}

}  // namespace
}  // namespace cairn
