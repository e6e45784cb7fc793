#include "chunkserver/worker/near_transport.h"

#include <gtest/gtest.h>

#include "tests/chunkserver/worker/near_fixture.h"

namespace cairn {
namespace {

using test::NearFixture;

TEST(NearTransportTest, CellsOfTheOwnServerAreReadWithoutTheNetwork) {
  NearFixture f;
  f.write(3);
  for (size_t stripe = 0; stripe < 3; ++stripe) ASSERT_TRUE(f.read_own_cell(stripe).status.ok());
  EXPECT_EQ(f.memory.shards.counts().reads, 0u);
  EXPECT_EQ(f.near.counts().local_reads, 3u);
  EXPECT_EQ(f.near.counts().local_bytes, 3u * (f.shape.header_bytes + NearFixture::kCell));
}

TEST(NearTransportTest, OtherCellsComeOverTheNetwork) {
  NearFixture f;
  f.write(2);
  ASSERT_TRUE(f.read(0, f.data.size()).status.ok());
  EXPECT_EQ(f.near.counts().local_reads, 2u);
  EXPECT_EQ(f.memory.shards.counts().reads, 6u);
  EXPECT_EQ(f.memory.shards.reads_of(NearFixture::kOwn), 0u);
}

TEST(NearTransportTest, AShardIsReadWhateverItIsCalledNow) {
  NearFixture f;
  f.write(1);
  ASSERT_TRUE(f.read_own_cell(0).status.ok());
  const auto store = test::open_store(real_disk(), f.directory.path());
  ASSERT_TRUE(store->seal(f.key(), f.shape.stride(), Epoch{9}).ok());
  ASSERT_TRUE(f.read_own_cell(0).status.ok()) << "open since before it was sealed";
  LocalShards fresh(real_disk(), f.directory.path());
  NearTransport near(NearFixture::kOwn, fresh, f.memory.shards);
  std::vector<uint8_t> out(NearFixture::kCell);
  EXPECT_TRUE(read_extent(near, f.memory.clock, f.memory.chunk, f.run.part(0, out.size()), out).status.ok());
  EXPECT_EQ(near.counts().local_reads, 1u) << "found by its new name";
  EXPECT_EQ(f.memory.shards.counts().reads, 0u);
}

TEST(NearTransportTest, AShardThatIsNotThereIsAskedForAndThenDecoded) {
  NearFixture f;
  f.write(1);
  std::filesystem::remove(f.path());
  EXPECT_EQ(f.read_own_cell(0).decoded_bytes, 0u) << "the chunkserver knows better";
  EXPECT_EQ(f.memory.shards.reads_of(NearFixture::kOwn), 1u);
  f.memory.shards.kill(NearFixture::kOwn);
  const ReadOutcome outcome = f.read_own_cell(0);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.decoded_bytes, NearFixture::kCell);
  EXPECT_EQ(f.near.counts().local_misses, 2u);
}

// Damage to the second of three records, and what is read of it.
class DamagedShardTest : public ::testing::Test {
 protected:
  DamagedShardTest() { f.write(3); }
  void expect_decoded() {
    const ReadOutcome outcome = f.read_own_cell(1);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().what;
    EXPECT_EQ(outcome.decoded_bytes, NearFixture::kCell);
    ASSERT_FALSE(outcome.troubles.empty());
    EXPECT_EQ(outcome.troubles[0].error.code, Errc::corrupt);
    EXPECT_EQ(outcome.troubles[0].server, NearFixture::kOwn);
    EXPECT_EQ(f.read_own_cell(0).decoded_bytes, 0u) << "the record before it is as it was";
  }
  uint64_t place() const { return f.shape.stride(); }
  NearFixture f;
};

TEST_F(DamagedShardTest, AFlippedByteOfTheCellIsDecoded) {
  f.flip(place() + f.shape.header_bytes + 5000);
  expect_decoded();
}
TEST_F(DamagedShardTest, AFlippedByteOfTheHeaderIsDecoded) {
  f.flip(place() + 20);
  expect_decoded();
}
TEST_F(DamagedShardTest, ATornRecordIsDecoded) {
  std::filesystem::resize_file(f.path(), place() + f.shape.header_bytes + 4096 + 100);
  expect_decoded();
}
TEST_F(DamagedShardTest, APunchedRecordIsDecoded) {
  const auto file = real_disk().open(f.path(), OpenMode::read_write);
  ASSERT_TRUE((*file)->punch(place(), f.shape.stride()).ok());
  expect_decoded();
}
TEST_F(DamagedShardTest, ARecordOfAnotherPlaceIsDecoded) {
  const auto file = real_disk().open(f.path(), OpenMode::read_write);
  std::vector<uint8_t> first(f.shape.stride());
  ASSERT_TRUE((*file)->read_at(0, first).ok());
  const iovec piece{first.data(), first.size()};
  ASSERT_TRUE((*file)->write_at(place(), {&piece, 1}).ok());
  expect_decoded();
}
TEST_F(DamagedShardTest, AShardOfAnotherChunkUnderThisNameIsDecoded) {
  auto name = parse_file_name(std::filesystem::path(f.path()).filename().string());
  const auto record = test::make_record({ChunkId{raw(name->key.chunk) + 256}, 0}, 0,
                                        {.cell_bytes = NearFixture::kCell, .data_bytes = NearFixture::kCell});
  std::ofstream(f.path(), std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(record.data()), static_cast<std::streamsize>(record.size()));
  const ReadOutcome outcome = f.read_own_cell(0);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.decoded_bytes, NearFixture::kCell);
}
TEST_F(DamagedShardTest, WithMoreLossesThanParityItIsAnErrorAndNeverWrongBytes) {
  f.flip(place() + f.shape.header_bytes + 5000);
  for (uint32_t server = 2; server <= 3; ++server) f.memory.shards.kill(ServerId{server});
  EXPECT_EQ(f.read_own_cell(1).status.code(), Errc::io);
}

}  // namespace
}  // namespace cairn
