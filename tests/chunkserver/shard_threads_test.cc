// Many callers at once: turns, shared syncs, and renames under readers.
#include <gtest/gtest.h>

#include <atomic>

#include "chunkserver/shard_store.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

using test::make_record;

constexpr Epoch kEpoch{4};
constexpr test::RecordShape kSmall{.cell_bytes = 8192, .data_bytes = 8192};

class ShardThreadsTest : public ::testing::Test {
 protected:
  ShardThreadsTest() : disk_(real_disk()), store_(test::open_store(disk_, directory_.path())) {}
  test::TemporaryDirectory directory_;
  test::FaultyDisk disk_;
  std::unique_ptr<ShardStore> store_;
};

TEST_F(ShardThreadsTest, SixteenWritersToShardsOfTheirOwn) {
  uint64_t stride = test::stride_of(kSmall);
  std::vector<Thread> writers;
  for (uint64_t writer = 0; writer < 16; ++writer) {
    writers.emplace_back("writer", [&, writer] {
      ShardKey key{ChunkId{1 + writer * 256}, 0};  // all in one folder
      for (uint64_t i = 0; i < 20; ++i) {
        auto end = store_->append(key, i * stride, kEpoch, make_record(key, i * stride, kSmall, i), true);
        EXPECT_TRUE(end.ok()) << end.error().what;
      }
    });
  }
  for (Thread& writer : writers) writer.join();
  EXPECT_EQ(store_->shards(), 16u);
  for (uint64_t writer = 0; writer < 16; ++writer) {
    ShardKey key{ChunkId{1 + writer * 256}, 0};
    auto file = store_->file(key);
    for (uint64_t i = 0; i < 20; ++i) {
      std::vector<uint8_t> read(stride);
      ASSERT_TRUE((*file)->read_at(i * stride, read).ok());
      EXPECT_EQ(read, make_record(key, i * stride, kSmall, i));
    }
  }
}

TEST_F(ShardThreadsTest, SixteenWritersOfOneShardGetOneContentForEachPlace) {
  constexpr ShardKey kKey{ChunkId{7}, 1};
  uint64_t stride = test::stride_of(kSmall);
  std::atomic<int> written = 0, refused = 0;
  std::array<std::atomic<uint64_t>, 16> winners{};
  std::vector<Thread> writers;
  for (uint64_t writer = 1; writer <= 16; ++writer) {
    writers.emplace_back("writer", [&, writer] {
      for (uint64_t i = 0; i < 16; ++i) {  // all want the same places, each with its own content
        auto end =
            store_->append(kKey, i * stride, kEpoch, make_record(kKey, i * stride, kSmall, writer * 100 + i), true);
        if (end.ok()) {
          ++written;
          EXPECT_EQ(winners[i].exchange(writer), 0u) << "two contents were accepted at one place";
        } else {
          ++refused;
          EXPECT_EQ(end.code(), Errc::invalid) << end.error().what;
        }
      }
    });
  }
  for (Thread& writer : writers) writer.join();
  EXPECT_LE(written, 16);
  EXPECT_GE(written, 1);
  EXPECT_EQ(written + refused, 256);
  auto file = store_->file(kKey);
  for (uint64_t i = 0; i < 16; ++i) {
    if (winners[i] == 0) continue;  // a later place was taken first, so this one is a hole
    std::vector<uint8_t> read(stride);
    ASSERT_TRUE((*file)->read_at(i * stride, read).ok());
    EXPECT_EQ(read, make_record(kKey, i * stride, kSmall, winners[i] * 100 + i));
  }
}

TEST_F(ShardThreadsTest, ManySyncsOfOneShardShareTwo) {
  constexpr ShardKey kKey{ChunkId{7}, 1};
  uint64_t stride = test::stride_of(kSmall);
  for (uint64_t i = 0; i < 24; ++i) {
    ASSERT_TRUE(store_->append(kKey, i * stride, kEpoch, make_record(kKey, i * stride, kSmall), false).ok());
  }
  disk_.hold_syncs();
  std::vector<Thread> callers;
  callers.emplace_back("sync", [&] { EXPECT_TRUE(store_->sync(kKey, stride).ok()); });
  disk_.wait_for_held_syncs(1);
  for (uint64_t i = 1; i < 24; ++i) {
    callers.emplace_back("sync", [&, i] { EXPECT_TRUE(store_->sync(kKey, (i + 1) * stride).ok()); });
  }
  disk_.release_syncs();
  for (Thread& caller : callers) caller.join();
  EXPECT_LE(disk_.file_syncs, 2u);
}

TEST_F(ShardThreadsTest, AnAppendGoesOnWhileASyncOfItsShardIsSlow) {
  constexpr ShardKey kKey{ChunkId{7}, 1};
  uint64_t stride = test::stride_of(kSmall);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, make_record(kKey, 0, kSmall), false).ok());
  disk_.hold_syncs();
  Thread syncer("sync", [&] { EXPECT_TRUE(store_->sync(kKey, stride).ok()); });
  disk_.wait_for_held_syncs(1);
  EXPECT_TRUE(store_->append(kKey, stride, kEpoch, make_record(kKey, stride, kSmall), false).ok());
  EXPECT_TRUE(store_->file(kKey).ok());
  EXPECT_TRUE(store_->list(ChunkId{}, 10).ok());
  disk_.release_syncs();
  syncer.join();
  EXPECT_TRUE(store_->sync(kKey, 2 * stride).ok());
}

TEST_F(ShardThreadsTest, ReadersAndListersSeeEveryShardThroughSealsAndRemovals) {
  uint64_t stride = test::stride_of(kSmall);
  store_.reset();
  store_ = test::open_store(disk_, directory_.path(), {.open_files = 4});
  constexpr ShardKey kStays{ChunkId{1000}, 0};
  auto record = make_record(kStays, 0, kSmall);
  ASSERT_TRUE(store_->append(kStays, 0, kEpoch, record, true).ok());
  std::atomic<bool> done = false;
  std::vector<Thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back("reader", [&] {
      while (!done) {
        auto file = store_->file(kStays);
        ASSERT_TRUE(file.ok()) << file.error().what;
        std::vector<uint8_t> read(record.size());
        ASSERT_TRUE((*file)->read_at(0, read).ok());
        ASSERT_EQ(read, record);
        auto rows = store_->list(ChunkId{999}, 1);
        ASSERT_TRUE(rows.ok());
        ASSERT_EQ(rows->rows.size(), 1u);
        ASSERT_FALSE(rows->rows[0].status.failed);
      }
    });
  }
  for (uint64_t chunk = 1; chunk <= 100; ++chunk) {
    ShardKey key{ChunkId{chunk}, 0};
    EXPECT_TRUE(store_->append(key, 0, kEpoch, make_record(key, 0, kSmall), true).ok());
    if (chunk == 50) {
      EXPECT_TRUE(store_->seal(kStays, stride, kEpoch).ok());
    }
    EXPECT_TRUE(store_->seal(key, stride, kEpoch).ok());
    EXPECT_TRUE(store_->remove(key).ok());
  }
  done = true;
  for (Thread& reader : readers) reader.join();
  EXPECT_EQ(store_->shards(), 1u);
}

TEST_F(ShardThreadsTest, AppendsThatMeetARemovalNeverWriteIntoARemovedFile) {
  constexpr ShardKey kKey{ChunkId{7}, 1};
  auto record = make_record(kKey, 0, kSmall);
  for (int round = 0; round < 100; ++round) {
    Thread remover("remove", [&] { EXPECT_TRUE(store_->remove(kKey).ok()); });
    EXPECT_TRUE(store_->append(kKey, 0, kEpoch, record, false).ok());
    remover.join();
    auto rows = store_->list(ChunkId{6}, 1);
    ASSERT_TRUE(rows.ok());
    size_t on_disk = test::shard_files(directory_.path()).size();
    EXPECT_EQ(rows->rows.size(), on_disk);
    EXPECT_EQ(store_->file(kKey).ok(), on_disk == 1);
  }
}

}  // namespace
}  // namespace cairn
