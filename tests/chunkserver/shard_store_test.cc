#include "chunkserver/shard_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "chunkserver/record_check.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

using test::make_record;
using ::testing::ElementsAre;

constexpr ShardKey kKey{ChunkId{0x125f}, 3};
constexpr Epoch kEpoch{4};

class ShardStoreTest : public ::testing::Test {
 protected:
  ShardStoreTest() : disk_(real_disk()), store_(test::open_store(disk_, directory_.path())) {}

  void restart() {
    store_.reset();
    store_ = test::open_store(disk_, directory_.path());
  }
  std::vector<uint8_t> read(ShardKey key, uint64_t offset, size_t bytes) {
    auto file = store_->file(key);
    EXPECT_TRUE(file.ok()) << file.error().what;
    std::vector<uint8_t> read(bytes);
    auto size = (*file)->read_at(offset, read);
    EXPECT_TRUE(size.ok());
    return read;
  }
  ShardRow row(ShardKey key) {
    auto rows = store_->list(ChunkId{raw(key.chunk) - 1}, 1);
    EXPECT_TRUE(rows.ok());
    for (const ShardRow& row : rows->rows) {
      if (row.status.key == key) return row;
    }
    ADD_FAILURE() << key.text() << " is not listed";
    return {};
  }

  test::TemporaryDirectory directory_;
  test::FaultyDisk disk_;
  std::unique_ptr<ShardStore> store_;
};

TEST_F(ShardStoreTest, WhatIsAppendedIsReadBackAndAGapIsAHole) {
  auto first = make_record(kKey, 0);
  uint64_t stride = test::stride_of({});
  auto third = make_record(kKey, 2 * stride);
  EXPECT_EQ(*store_->append(kKey, 0, kEpoch, first, false), first.size());
  EXPECT_EQ(*store_->append(kKey, 2 * stride, kEpoch, third, true), 2 * stride + third.size());
  EXPECT_EQ(read(kKey, 0, first.size()), first);
  EXPECT_EQ(read(kKey, 2 * stride, third.size()), third);
  EXPECT_EQ(read(kKey, stride, stride), std::vector<uint8_t>(stride));
  EXPECT_LT(row(kKey).allocated, 2 * stride + third.size());
  EXPECT_THAT(test::shard_files(directory_.path()), ElementsAre("000000000000125f-03.open"));
}

TEST_F(ShardStoreTest, ARepetitionIsAnsweredAndAnotherContentIsRefused) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  auto again = store_->append(kKey, 0, kEpoch, record, true);
  EXPECT_EQ(*again, record.size());
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, make_record(kKey, 0, {}, 2), true).code(), Errc::invalid);
  auto longer = make_record(kKey, 0, {.cell_bytes = 1u << 20, .data_bytes = 1u << 20});
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, longer, true).code(), Errc::invalid)
      << "begins before the end and goes beyond";
  uint64_t stride = test::stride_of({});
  ASSERT_TRUE(store_->append(kKey, 2 * stride, kEpoch, make_record(kKey, 2 * stride), false).ok());
  EXPECT_EQ(store_->append(kKey, stride, kEpoch, make_record(kKey, stride), false).code(), Errc::invalid)
      << "into a hole";
  EXPECT_EQ(read(kKey, 0, record.size()), record);
}

TEST_F(ShardStoreTest, SyncIsBoundedByTheEndAndByTheShard) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, false).ok());
  EXPECT_EQ(disk_.file_syncs, 0u);
  EXPECT_EQ(*store_->sync(kKey, record.size()), record.size());
  EXPECT_EQ(disk_.file_syncs, 1u);
  uint64_t directory_syncs = disk_.directory_syncs;
  EXPECT_TRUE(store_->sync(kKey, record.size()).ok());
  EXPECT_EQ(disk_.file_syncs, 1u) << "already durable";
  EXPECT_EQ(disk_.directory_syncs, directory_syncs);
  EXPECT_EQ(store_->sync(kKey, record.size() + 4096).code(), Errc::invalid);
  EXPECT_EQ(store_->sync({ChunkId{9}, 0}, 0).code(), Errc::not_found);
}

TEST_F(ShardStoreTest, ANewShardsNameIsDurableWithItsBytes) {
  uint64_t before = disk_.directory_syncs;
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), true).ok());
  EXPECT_EQ(disk_.directory_syncs, before + 2) << "its folder is new, too";
  ShardKey neighbour{ChunkId{raw(kKey.chunk) + 256}, 0};
  ASSERT_TRUE(store_->append(neighbour, 0, kEpoch, make_record(neighbour, 0), true).ok());
  EXPECT_EQ(disk_.directory_syncs, before + 3);
}

TEST_F(ShardStoreTest, RemovingWhatNeverWasIsNoError) {
  EXPECT_TRUE(store_->remove(kKey).ok());
  EXPECT_TRUE(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), true).ok());
}

TEST_F(ShardStoreTest, SealingFixesTheLengthAndRefusesAppends) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  ASSERT_TRUE(store_->seal(kKey, record.size(), Epoch{5}).ok());
  EXPECT_THAT(test::shard_files(directory_.path()), ElementsAre("000000000000125f-03-11000.sealed"));
  EXPECT_TRUE(store_->seal(kKey, record.size(), Epoch{5}).ok()) << "a repetition";
  EXPECT_EQ(store_->seal(kKey, 0, Epoch{5}).code(), Errc::invalid);
  auto next = make_record(kKey, record.size());
  EXPECT_EQ(store_->append(kKey, record.size(), Epoch{9}, next, false).code(), Errc::stale_epoch);
  EXPECT_EQ(store_->sync(kKey, record.size()).code(), Errc::stale_epoch);
  EXPECT_EQ(read(kKey, 0, record.size()), record);
  EXPECT_TRUE(row(kKey).status.state == ShardState::sealed);
}

TEST_F(ShardStoreTest, SealingAShardThatNeverCameKeepsALateAppendOut) {
  ASSERT_TRUE(store_->seal(kKey, 0x11000, Epoch{5}).ok());
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), false).code(), Errc::stale_epoch);
  EXPECT_EQ(row(kKey).status.end, 0u);
  EXPECT_EQ(row(kKey).status.committed, 0x11000u);
}

TEST_F(ShardStoreTest, AnOlderWriterIsFencedByANewerOne) {
  ASSERT_TRUE(store_->append(kKey, 0, Epoch{7}, make_record(kKey, 0), false).ok());
  uint64_t end = test::stride_of({});
  EXPECT_EQ(store_->append(kKey, end, Epoch{6}, make_record(kKey, end), false).code(), Errc::stale_epoch);
  EXPECT_TRUE(store_->append(kKey, end, Epoch{7}, make_record(kKey, end), false).ok());
}

TEST_F(ShardStoreTest, PunchingGivesSpaceBackAndReadsAsZeros) {
  auto first = make_record(kKey, 0);
  auto second = make_record(kKey, first.size(), {}, 2);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, first, true).ok());
  ASSERT_TRUE(store_->append(kKey, first.size(), kEpoch, second, true).ok());
  uint64_t before = row(kKey).allocated;
  ASSERT_TRUE(store_->punch(kKey, 0, first.size()).ok());
  EXPECT_LE(row(kKey).allocated + first.size(), before + 4096);
  EXPECT_EQ(read(kKey, 0, first.size()), std::vector<uint8_t>(first.size()));
  EXPECT_EQ(read(kKey, first.size(), second.size()), second);
  EXPECT_TRUE(store_->punch(kKey, 1u << 20, 1u << 20).ok()) << "beyond the end there is nothing to do";
  EXPECT_EQ(row(kKey).status.end, first.size() + second.size());
  EXPECT_EQ(store_->punch({ChunkId{1}, 0}, 0, 4096).code(), Errc::not_found);
}

TEST_F(ShardStoreTest, ARemovedShardIsGoneButAReaderKeepsItsFile) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  auto file = store_->file(kKey);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(store_->remove(kKey).ok());
  EXPECT_TRUE(store_->remove(kKey).ok()) << "a repetition";
  EXPECT_EQ(store_->file(kKey).code(), Errc::not_found);
  EXPECT_EQ(store_->shards(), 0u);
  std::vector<uint8_t> kept(record.size());
  ASSERT_TRUE((*file)->read_at(0, kept).ok());
  EXPECT_EQ(kept, record);
  auto again = make_record(kKey, 0, {}, 2);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, again, true).ok());
  EXPECT_EQ(read(kKey, 0, again.size()), again) << "a new shard of the same key is another file";
}

TEST_F(ShardStoreTest, ListingGoesThroughAllShardsInOrderAndNeverSplitsAChunk) {
  std::vector<ShardKey> expected;
  for (uint64_t chunk = 1; chunk <= 300; ++chunk) {
    for (uint8_t shard = 0; shard < (chunk % 10 == 0 ? 2 : 1); ++shard) {
      ShardKey key{ChunkId{chunk * 37}, shard};
      ASSERT_TRUE(store_->seal(key, 0, kEpoch).ok());
      expected.push_back(key);
    }
  }
  std::vector<ShardKey> listed;
  ChunkId after{};
  for (;;) {
    auto page = store_->list(after, 7);
    ASSERT_TRUE(page.ok());
    for (const ShardRow& row : page->rows) listed.push_back(row.status.key);
    if (page->complete) break;
    ASSERT_FALSE(page->rows.empty());
    after = page->rows.back().status.key.chunk;
  }
  EXPECT_EQ(listed, expected);
}

TEST_F(ShardStoreTest, ARestartFindsOpenAndSealedShardsAsTheyWere) {
  ShardKey sealed{ChunkId{0x225f}, 1}, punched{ChunkId{0x300}, 0};
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  ASSERT_TRUE(store_->append(sealed, 0, kEpoch, make_record(sealed, 0), true).ok());
  ASSERT_TRUE(store_->seal(sealed, record.size(), kEpoch).ok());
  ASSERT_TRUE(store_->seal(punched, 4096, kEpoch).ok());
  restart();
  EXPECT_EQ(store_->shards(), 3u);
  EXPECT_EQ(row(kKey).status.end, record.size());
  EXPECT_EQ(row(sealed).status.committed, record.size());
  EXPECT_EQ(row(sealed).status.end, record.size());
  EXPECT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok()) << "a repetition over a restart";
  auto next = make_record(kKey, record.size());
  EXPECT_TRUE(store_->append(kKey, record.size(), kEpoch, next, true).ok());
  EXPECT_EQ(store_->append(sealed, record.size(), kEpoch, make_record(sealed, record.size()), false).code(),
            Errc::stale_epoch);
}

TEST_F(ShardStoreTest, BytesFromBeforeARestartAreSyncedWhenAskedFor) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, false).ok());
  restart();
  uint64_t files = disk_.file_syncs, directories = disk_.directory_syncs;
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  EXPECT_EQ(disk_.file_syncs, files + 1);
  EXPECT_EQ(disk_.directory_syncs, directories + 1);
}

TEST_F(ShardStoreTest, ATornEndIsLeftAloneAndNeverWrittenOver) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  store_.reset();
  std::string path = directory_.path() + "/shards/5f/000000000000125f-03.open";
  std::ofstream(path, std::ios::app | std::ios::binary) << std::string(5000, 'x');
  store_ = test::open_store(disk_, directory_.path());
  EXPECT_EQ(row(kKey).status.end, record.size() + 8192);
  EXPECT_EQ(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), false).code(), Errc::invalid);
  uint64_t behind = record.size() + 8192;
  EXPECT_TRUE(store_->append(kKey, behind, kEpoch, make_record(kKey, behind), true).ok());
  EXPECT_EQ(read(kKey, record.size(), 5000), std::vector<uint8_t>(5000, 'x'));
}

TEST_F(ShardStoreTest, FilesThatAreNotItsOwnAreReportedAndLeftAlone) {
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), true).ok());
  store_.reset();
  std::string folder = directory_.path() + "/shards/5f/";
  std::ofstream(folder + "notes.txt") << "hello";
  std::ofstream(folder + "0000000000000001-00.open") << "in the wrong folder";
  std::ofstream(folder + "000000000000125f-03.failed") << "a second file of the same shard";
  ShardStore store(disk_, real_clock(), directory_.path(), {});
  auto inventory = store.open();
  ASSERT_TRUE(inventory.ok());
  EXPECT_EQ(inventory->unknown, 3u);
  EXPECT_EQ(store.shards(), 1u);
  EXPECT_EQ(test::shard_files(directory_.path()).size(), 4u);
}

TEST_F(ShardStoreTest, FiveThousandShardsNeedFewDescriptors) {
  store_.reset();
  store_ = test::open_store(disk_, directory_.path(), {.open_files = 64});
  disk_.most_open_files = 0;
  disk_.skip_syncs = true;
  test::RecordShape small{.cell_bytes = 4096, .data_bytes = 4096};
  for (uint64_t chunk = 1; chunk <= 5000; ++chunk) {
    ShardKey key{ChunkId{chunk}, 0};
    ASSERT_TRUE(store_->append(key, 0, kEpoch, make_record(key, 0, small), false).ok());
  }
  EXPECT_LE(disk_.most_open_files, 64 + 2);
  EXPECT_GE(disk_.file_syncs, 5000u - 64) << "what is let go was synced before";
  for (uint64_t chunk = 1; chunk <= 5000; chunk += 97) {
    ShardKey key{ChunkId{chunk}, 0};
    EXPECT_EQ(read(key, 0, 8192), make_record(key, 0, small));
    EXPECT_TRUE(store_->sync(key, 8192).ok());
  }
  EXPECT_LE(disk_.most_open_files, 64 + 2);
}

TEST(RecordCheckTest, OnlyAWholeRecordForThisPlaceIsTaken) {
  auto record = make_record(kKey, 4096);
  RecordPlace where{test::kIncarnation, kKey, 4096};
  EXPECT_TRUE(check_record(record, where).ok());
  EXPECT_EQ(check_record(record, {test::kIncarnation, kKey, 8192}).code(), Errc::invalid);
  EXPECT_EQ(check_record(record, {test::kIncarnation, {kKey.chunk, 2}, 4096}).code(), Errc::invalid);
  EXPECT_EQ(check_record(record, {test::kIncarnation, {ChunkId{1}, 3}, 4096}).code(), Errc::invalid);
  EXPECT_EQ(check_record(record, {Incarnation{1}, kKey, 4096}).code(), Errc::invalid);
  EXPECT_EQ(check_record(std::span(record).first(record.size() - 4096), where).code(), Errc::invalid);
  EXPECT_EQ(check_record({}, where).code(), Errc::invalid);
  for (size_t bytes = 1; bytes < 4096; bytes += 13)
    EXPECT_FALSE(check_record(std::span(record).first(bytes), where).ok());
  for (size_t at = 0; at < 4096; at += 3) {
    auto flipped = record;
    flipped[at] ^= 0x10;
    EXPECT_FALSE(check_record(flipped, where).ok()) << at;
  }
  auto longer = record;
  longer.resize(longer.size() + 4096);
  EXPECT_EQ(check_record(longer, where).code(), Errc::invalid);
}

TEST(RecordCheckTest, RangesAreBounded) {
  EXPECT_TRUE(check_range(0, kMaxShardBytes).ok());
  EXPECT_FALSE(check_range(1, 4096).ok());
  EXPECT_FALSE(check_range(0, 1).ok());
  EXPECT_FALSE(check_range(kMaxShardBytes, 4096).ok());
  EXPECT_FALSE(check_range(UINT64_MAX - 4095, 8192).ok());
}

}  // namespace
}  // namespace cairn
