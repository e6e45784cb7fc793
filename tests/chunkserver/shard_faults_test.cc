// What a failing or full disk does to the shards on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "chunkserver/shard_store.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

using test::make_record;
using ::testing::ElementsAre;

constexpr ShardKey kKey{ChunkId{0x125f}, 3};
constexpr Epoch kEpoch{4};

class ShardFaultsTest : public ::testing::Test {
 protected:
  ShardFaultsTest() : disk_(real_disk()), store_(test::open_store(disk_, directory_.path())) {}
  bool failed(ShardKey key) {
    auto rows = store_->list(ChunkId{raw(key.chunk) - 1}, 1);
    return rows.ok() && !rows->rows.empty() && rows->rows[0].status.failed;
  }
  test::TemporaryDirectory directory_;
  test::FaultyDisk disk_;
  std::unique_ptr<ShardStore> store_;
};

TEST_F(ShardFaultsTest, AFailedSyncFailsTheShardForGoodAndOverARestart) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, false).ok());
  disk_.fail_syncs = true;
  EXPECT_EQ(store_->sync(kKey, record.size()).code(), Errc::io);
  disk_.fail_syncs = false;
  EXPECT_EQ(store_->sync(kKey, record.size()).code(), Errc::io) << "a later success would prove nothing";
  EXPECT_EQ(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), false).code(), Errc::io);
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, record, true).code(), Errc::io)
      << "not even a repetition: its bytes may be lost";
  EXPECT_TRUE(failed(kKey));
  EXPECT_TRUE(store_->file(kKey).ok()) << "what is there can be read";
  EXPECT_THAT(test::shard_files(directory_.path()), ElementsAre("000000000000125f-03.failed"));

  store_.reset();
  store_ = test::open_store(disk_, directory_.path());
  EXPECT_TRUE(failed(kKey));
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, record, true).code(), Errc::io);
  EXPECT_TRUE(store_->seal(kKey, record.size(), kEpoch).ok()) << "what was committed before stays";
  EXPECT_THAT(test::shard_files(directory_.path()), ElementsAre("000000000000125f-03-11000.sealed"));
}

TEST_F(ShardFaultsTest, ASyncedAppendWhoseDirectorySyncFailsIsNotAcknowledged) {
  ShardKey neighbour{ChunkId{raw(kKey.chunk) + 256}, 0};
  ASSERT_TRUE(store_->append(neighbour, 0, kEpoch, make_record(neighbour, 0), true).ok());
  disk_.fail_directory_syncs = true;
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), true).code(), Errc::io);
  EXPECT_TRUE(failed(kKey));
}

TEST_F(ShardFaultsTest, AFailedDirectorySyncFailsWhatItWasForAndTheFolderGoesOn) {
  const auto in_the_same_folder = [](uint64_t i) { return ShardKey{ChunkId{raw(kKey.chunk) + 256 * i}, 0}; };
  const ShardKey durable = in_the_same_folder(1), waiting = in_the_same_folder(2), later = in_the_same_folder(3);
  ASSERT_TRUE(store_->append(durable, 0, kEpoch, make_record(durable, 0), true).ok());
  const auto record = make_record(waiting, 0);
  ASSERT_TRUE(store_->append(waiting, 0, kEpoch, record, false).ok()) << "made, and nobody has asked for its name yet";
  disk_.fail_directory_syncs = true;
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), true).code(), Errc::io);
  disk_.fail_directory_syncs = false;

  EXPECT_EQ(store_->sync(waiting, record.size()).code(), Errc::io)
      << "its name was part of what failed: a later success would prove nothing";
  EXPECT_TRUE(failed(waiting));
  EXPECT_TRUE(store_->append(durable, record.size(), kEpoch, make_record(durable, record.size()), true).ok())
      << "its name was durable before";
  const uint64_t syncs = disk_.directory_syncs;
  EXPECT_TRUE(store_->append(later, 0, kEpoch, make_record(later, 0), true).ok());
  EXPECT_GT(disk_.directory_syncs, syncs) << "believed only after a sync of its own";
  EXPECT_FALSE(failed(later));
  EXPECT_TRUE(failed(kKey));
}

TEST_F(ShardFaultsTest, ASealWhoseDirectorySyncFailedIsDoneAgain) {
  const auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  disk_.fail_directory_syncs = true;
  EXPECT_EQ(store_->seal(kKey, record.size(), kEpoch).code(), Errc::io);
  EXPECT_EQ(store_->seal(kKey, record.size(), kEpoch).code(), Errc::io);
  disk_.fail_directory_syncs = false;
  disk_.renames = 0;
  EXPECT_TRUE(store_->seal(kKey, record.size(), kEpoch).ok());
  EXPECT_GT(disk_.renames, 0u) << "what the disk may have lost is written once more, not only synced once more";
  EXPECT_THAT(test::shard_files(directory_.path()), ElementsAre("000000000000125f-03-11000.sealed"));
  EXPECT_EQ(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), true).code(),
            Errc::stale_epoch);
  const uint64_t renames = disk_.renames;
  EXPECT_TRUE(store_->seal(kKey, record.size(), kEpoch).ok());
  EXPECT_EQ(disk_.renames, renames) << "it is durable now";
}

TEST_F(ShardFaultsTest, ARemovalWhoseDirectorySyncFailedIsConfirmedOnlyByALaterSync) {
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), true).ok());
  disk_.fail_directory_syncs = true;
  EXPECT_EQ(store_->remove(kKey).code(), Errc::io);
  EXPECT_EQ(store_->remove(kKey).code(), Errc::io);
  disk_.fail_directory_syncs = false;
  const uint64_t syncs = disk_.directory_syncs;
  EXPECT_TRUE(store_->remove(kKey).ok());
  EXPECT_GT(disk_.directory_syncs, syncs);
}

TEST_F(ShardFaultsTest, AFailedWriteFailsTheShardAndTheOthersGoOn) {
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  disk_.fail_writes = true;
  EXPECT_EQ(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), false).code(),
            Errc::no_space);
  disk_.fail_writes = false;
  EXPECT_EQ(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), false).code(), Errc::io);
  EXPECT_TRUE(failed(kKey));
  ShardKey other{ChunkId{5}, 0};
  EXPECT_TRUE(store_->append(other, 0, kEpoch, make_record(other, 0), true).ok());
}

TEST_F(ShardFaultsTest, AShardThatCouldNotBeCreatedLeavesNothing) {
  disk_.fail_creates = true;
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), false).code(), Errc::no_space);
  EXPECT_EQ(store_->seal(kKey, 0, kEpoch).code(), Errc::no_space);
  EXPECT_EQ(store_->shards(), 0u);
  disk_.fail_creates = false;
  EXPECT_TRUE(store_->append(kKey, 0, kEpoch, make_record(kKey, 0), true).ok());
}

TEST_F(ShardFaultsTest, AFileThatFailsWhenItIsLetGoFailsItsShard) {
  store_.reset();
  store_ = test::open_store(disk_, directory_.path(), {.open_files = 1});
  auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, false).ok());
  disk_.fail_syncs = true;
  ShardKey other{ChunkId{5}, 0};
  ASSERT_TRUE(store_->append(other, 0, kEpoch, make_record(other, 0), false).ok());  // its turn to be the one open file
  disk_.fail_syncs = false;
  EXPECT_EQ(store_->sync(kKey, record.size()).code(), Errc::io);
  EXPECT_EQ(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), false).code(), Errc::io);
  EXPECT_TRUE(store_->sync(other, record.size()).ok());
}

TEST_F(ShardFaultsTest, TheReserveIsKeptAndAFullDiskIsNotAFailedShard) {
  ShardKey other{ChunkId{5}, 0};
  disk_.free_bytes = 65ull << 20;
  store_.reset();
  store_ = test::open_store(disk_, directory_.path(), {.reserve = {.percent = 0, .bytes = 64u << 20}});
  test::RecordShape large{.cell_bytes = 1u << 20, .data_bytes = 1u << 20};
  auto record = make_record(kKey, 0, large);
  EXPECT_EQ(store_->append(kKey, 0, kEpoch, record, false).code(), Errc::no_space);
  EXPECT_EQ(store_->shards(), 0u);
  EXPECT_TRUE(store_->append(other, 0, kEpoch, make_record(other, 0), false).ok()) << "64 KiB fit";
  EXPECT_FALSE(failed(other));
  auto space = store_->space();
  ASSERT_TRUE(space.ok());
  EXPECT_LE(space->free_bytes, 1u << 20);
}

TEST_F(ShardFaultsTest, AFileThatIsDeletedUnderTheServerIsListedAsLostAndTakesNoMorePromises) {
  const auto record = make_record(kKey, 0);
  const ShardKey sealed{ChunkId{9}, 1}, waiting{ChunkId{10}, 1}, other{ChunkId{11}, 1};
  for (const ShardKey key : {kKey, sealed, waiting, other})
    ASSERT_TRUE(store_->append(key, 0, kEpoch, make_record(key, 0), true).ok());
  ASSERT_TRUE(store_->seal(sealed, record.size(), kEpoch).ok());
  ASSERT_TRUE(store_->append(waiting, record.size(), kEpoch, make_record(waiting, record.size()), false).ok());
  for (const ShardKey key : {kKey, sealed, waiting}) {
    std::filesystem::remove_all(directory_.path() + "/shards/" + folder_name(key.folder()));  // only it is in there
  }
  for (const ShardKey key : {kKey, sealed, waiting}) EXPECT_TRUE(failed(key)) << key.text();
  EXPECT_FALSE(failed(other));
  EXPECT_FALSE(store_->file(sealed).ok()) << "also while a descriptor of it is open";
  EXPECT_EQ(store_->sync(waiting, 2 * record.size()).code(), Errc::corrupt) << "its bytes go to a file without a name";
  EXPECT_EQ(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), true).code(), Errc::corrupt);
  EXPECT_TRUE(store_->append(other, record.size(), kEpoch, make_record(other, record.size()), true).ok());
  EXPECT_TRUE(store_->remove(sealed).ok());
  EXPECT_EQ(store_->shards(), 3u) << "it is as it should be";
}

TEST_F(ShardFaultsTest, AFileThatIsReplacedByAnOlderCopyUnderTheServerTakesNoMorePromises) {
  const auto record = make_record(kKey, 0);
  ASSERT_TRUE(store_->append(kKey, 0, kEpoch, record, true).ok());
  const std::string path = directory_.path() + "/shards/" + folder_name(kKey.folder()) + "/" + file_name({.key = kKey});
  std::filesystem::copy_file(path, directory_.path() + "/copy");
  ASSERT_TRUE(store_->append(kKey, record.size(), kEpoch, make_record(kKey, record.size()), true).ok());
  std::filesystem::rename(directory_.path() + "/copy", path);
  EXPECT_TRUE(failed(kKey)) << "it is shorter than what was promised";
  EXPECT_EQ(store_->append(kKey, 2 * record.size(), kEpoch, make_record(kKey, 2 * record.size()), true).code(),
            Errc::corrupt);
}

// Unmounts what was mounted there: declared before whatever has files open on it.
struct Unmount {
  std::string path;
  ~Unmount() { EXPECT_EQ(::umount(path.c_str()), 0); }
};

TEST(FullDiskTest, ARealFullFilesystemAnswersNoSpaceAndIsReadable) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small tmpfs";
  test::TemporaryDirectory directory;
  if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=4m") != 0) {
    GTEST_SKIP() << "no permission to mount a tmpfs here";
  }
  Unmount unmount{directory.path()};
  auto store = test::open_store(real_disk(), directory.path(), {.reserve = {.percent = 0, .bytes = 0}});
  test::RecordShape large{.cell_bytes = 1u << 20, .data_bytes = 1u << 20};
  uint64_t stride = test::stride_of(large), place = 0;
  Result<uint64_t> appended(uint64_t{0});
  for (; place < 8 * stride; place += stride) {
    appended = store->append(kKey, place, kEpoch, make_record(kKey, place, large), true);
    if (!appended.ok()) break;
  }
  ASSERT_FALSE(appended.ok());
  EXPECT_EQ(appended.code(), Errc::no_space);
  EXPECT_GE(place, 2 * stride);
  auto file = store->file(kKey);
  ASSERT_TRUE(file.ok());
  auto first = make_record(kKey, 0, large);
  std::vector<uint8_t> read(first.size());
  ASSERT_TRUE((*file)->read_at(0, read).ok());
  EXPECT_EQ(read, first);
  EXPECT_TRUE(store->seal(kKey, place, kEpoch).ok()) << "sealing needs no space";
  EXPECT_TRUE(store->punch(kKey, 0, stride).ok());
  ShardKey other{ChunkId{1}, 0};
  EXPECT_TRUE(store->append(other, 0, kEpoch, make_record(other, 0), true).ok()) << "the space that came back is used";
}

}  // namespace
}  // namespace cairn
