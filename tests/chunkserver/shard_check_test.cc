#include "chunkserver/shard_check.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

using test::make_record;

constexpr ShardKey kKey{ChunkId{0x125f}, 3};
constexpr test::RecordShape kSmall{.cell_bytes = 8192, .data_bytes = 8192};
constexpr test::RecordShape kManyOwners{.cell_bytes = 65536, .data_bytes = 10000, .owners = 400};

// A shard file that is written by hand.
class ShardCheckTest : public ::testing::Test {
 protected:
  ShardCheckTest() { file_ = *real_disk().open(directory_.path() + "/shard", OpenMode::create_new); }
  uint64_t put(uint64_t place, test::RecordShape shape = kSmall) {
    write(place, make_record(kKey, place, shape));
    return place + test::stride_of(shape);
  }
  void write(uint64_t at, std::span<const uint8_t> bytes) {
    iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    ASSERT_TRUE(file_->write_at(at, {&piece, 1}).ok());
  }
  ShardReport check(std::optional<uint64_t> committed = std::nullopt) {
    uint64_t end = (*file_->size() + 4095) / 4096 * 4096;
    auto report = check_shard(*file_, test::kIncarnation, kKey, end, committed, [] { return true; });
    EXPECT_TRUE(report.ok());
    return *report;
  }
  test::TemporaryDirectory directory_;
  std::unique_ptr<File> file_;
};

TEST_F(ShardCheckTest, CountsRecordsOfAllShapesOverHolesAndPunchedStripes) {
  uint64_t place = put(0);
  place = put(place + 5 * test::stride_of(kSmall));
  uint64_t punched = place;
  place = put(place, kManyOwners);
  place = put(place, kManyOwners);
  put(place);
  ASSERT_TRUE(file_->punch(punched, test::stride_of(kManyOwners)).ok());
  ShardReport report = check();
  EXPECT_EQ(report.records, 4u);
  EXPECT_EQ(report.bad_records, 0u);
  EXPECT_EQ(report.torn_bytes, 0u);
}

TEST_F(ShardCheckTest, AFlippedByteInAnyHeaderIsFound) {
  uint64_t second = put(0), third = put(second, kManyOwners);
  uint64_t end = put(third);
  for (uint64_t at :
       {uint64_t{0}, uint64_t{3}, uint64_t{200}, uint64_t{4095}, second, second + 20, second + 9000, third + 4000}) {
    std::vector<uint8_t> byte(1);
    ASSERT_TRUE(file_->read_at(at, byte).ok());
    byte[0] ^= 0x40;
    write(at, byte);
    ShardReport report = check(end);
    EXPECT_EQ(report.records, 2u) << at;
    EXPECT_EQ(report.bad_records, 1u) << at;
    EXPECT_EQ(report.first_bad, at < second ? 0 : at < third ? second : third) << at;
    byte[0] ^= 0x40;
    write(at, byte);
  }
  EXPECT_EQ(check(end).bad_records, 0u);
}

TEST_F(ShardCheckTest, ARecordOfAnotherPlaceIsBad) {
  uint64_t second = put(0);
  write(second, make_record(kKey, 0, kSmall));
  write(second + test::stride_of(kSmall), make_record({kKey.chunk, 4}, second + test::stride_of(kSmall), kSmall));
  ShardReport report = check(second + 2 * test::stride_of(kSmall));
  EXPECT_EQ(report.records, 1u);
  EXPECT_EQ(report.bad_records, 1u) << "one run of what should be records and is not";
}

TEST_F(ShardCheckTest, ATornTailOfAnOpenShardIsNotDamage) {
  uint64_t second = put(0);
  auto record = make_record(kKey, second, kSmall);
  std::fill(record.begin() + 512, record.begin() + 4096,
            0);  // the header's first sector came to the disk, and the cell
  write(second, record);
  ShardReport open = check();
  EXPECT_EQ(open.records, 1u);
  EXPECT_EQ(open.bad_records, 0u);
  EXPECT_EQ(open.torn_bytes, record.size());
  EXPECT_EQ(check(second).bad_records, 0u) << "behind the committed length of a sealed shard nothing counts";
  EXPECT_EQ(check(second + record.size()).bad_records, 1u);
  put(second + record.size());
  EXPECT_EQ(check().bad_records, 1u) << "a good record follows";
}

TEST_F(ShardCheckTest, AWalkOverGarbageEndsAndIsStoppable) {
  write(0, std::vector<uint8_t>(100'000, 0xCC));
  ShardReport report = check();
  EXPECT_EQ(report.records, 0u);
  EXPECT_EQ(report.torn_bytes, 102'400u);
  int steps = 0;
  auto stopped = check_shard(*file_, test::kIncarnation, kKey, 102'400, std::nullopt, [&] { return ++steps <= 3; });
  EXPECT_TRUE(stopped.ok());
  EXPECT_EQ(steps, 4);
}

TEST(StartupCheckTest, LooksAtEveryShardAndChangesNothing) {
  test::TemporaryDirectory directory;
  auto identity = IdentityFile::open(real_disk(), directory.path(), 1);
  ASSERT_TRUE((*identity)->adopt(test::kIncarnation, ServerId{1}).ok());
  auto store = test::open_store(real_disk(), directory.path());
  uint64_t stride = test::stride_of(kSmall);
  for (uint64_t chunk = 1; chunk <= 20; ++chunk) {
    ShardKey key{ChunkId{chunk}, 0};
    for (uint64_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(store->append(key, i * stride, Epoch{1}, make_record(key, i * stride, kSmall), false).ok());
    }
    if (chunk % 2 == 0) {
      ASSERT_TRUE(store->seal(key, 3 * stride, Epoch{1}).ok());
    }
  }
  store.reset();
  auto flip = [&](const std::string& name, uint64_t at) {
    std::fstream file(directory.path() + "/shards/" + name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('!');
    ASSERT_TRUE(file.good());
  };
  flip("02/0000000000000002-00-9000.sealed", stride + 50);
  flip("03/0000000000000003-00.open", 2 * stride + 50);
  auto before = test::shard_files(directory.path());
  store = test::open_store(real_disk(), directory.path());
  StartupCheck check(*store, **identity, real_clock(), {.reads_per_second = 1'000'000});
  check.start();
  check.wait_until_done();
  auto totals = check.totals();
  EXPECT_EQ(totals.shards, 20u);
  EXPECT_EQ(totals.records, 58u);
  EXPECT_EQ(totals.bad_records, 1u);
  EXPECT_EQ(totals.torn_bytes, stride);
  EXPECT_EQ(totals.unreadable, 0u);
  EXPECT_EQ(test::shard_files(directory.path()), before);
}

TEST(StartupCheckTest, StopsAtOnceWhileItKeepsItsRate) {
  test::TemporaryDirectory directory;
  auto identity = IdentityFile::open(real_disk(), directory.path(), 1);
  auto store = test::open_store(real_disk(), directory.path());
  for (uint64_t chunk = 1; chunk <= 50; ++chunk) ASSERT_TRUE(store->seal({ChunkId{chunk}, 0}, 0, Epoch{1}).ok());
  StartupCheck check(*store, **identity, real_clock(), {.reads_per_second = 10});
  check.start();
  check.stop();
  EXPECT_FALSE(check.totals().done) << "fifty shards at ten a second";
}

}  // namespace
}  // namespace cairn
