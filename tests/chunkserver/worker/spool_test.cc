#include "chunkserver/worker/spool.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "chunkserver/worker/service.h"
#include "common/rpc/task_worker_client.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

constexpr TaskRef kRef{JobId{3}, JobPhase::mapping, 7, AttemptId{9}};

std::string partial_of(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 % 251);
  return text;
}

class SpoolTest : public ::testing::Test {
 protected:
  SpoolTest() { EXPECT_TRUE(spool.open().ok()); }
  size_t files() {
    const std::filesystem::directory_iterator all(directory.path() + "/tasks");
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }
  test::TemporaryDirectory directory;
  Spool spool{real_disk(), directory.path(), 10u << 20};
};

TEST_F(SpoolTest, WhatIsKeptIsReadInPiecesUntilItIsForgotten) {
  const std::string partial = partial_of(100'000);
  ASSERT_TRUE(spool.put(kRef, partial).ok());
  EXPECT_EQ(*spool.read(kRef, 0, 60'000) + *spool.read(kRef, 60'000, 60'000), partial);
  EXPECT_EQ(*spool.read(kRef, 100'000, 10), "");
  EXPECT_EQ(*spool.read(kRef, 1u << 30, 10), "");
  EXPECT_EQ(spool.jobs(), std::vector<JobId>{JobId{3}});
  TaskRef other = kRef;
  other.attempt = AttemptId{10};
  EXPECT_EQ(spool.read(other, 0, 10).code(), Errc::not_found);
  spool.forget(JobId{4});
  EXPECT_TRUE(spool.read(kRef, 0, 10).ok());
  spool.forget(JobId{3});
  EXPECT_EQ(spool.read(kRef, 0, 10).code(), Errc::not_found);
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(spool.bytes(), 0u);
}

TEST_F(SpoolTest, IsBounded) {
  ASSERT_TRUE(spool.put(kRef, partial_of(8u << 20)).ok());
  TaskRef other = kRef;
  other.task = 8;
  EXPECT_EQ(spool.put(other, partial_of(3u << 20)).code(), Errc::no_space);
  EXPECT_TRUE(spool.put(other, partial_of(2u << 20)).ok());
  EXPECT_EQ(spool.bytes(), 10u << 20);
}

TEST_F(SpoolTest, LeavesTheDiskToShards) {
  test::FaultyDisk disk(real_disk());
  Spool other(disk, directory.path());
  ASSERT_TRUE(other.open().ok());
  disk.free_bytes = Spool::kLeaveFree + 1000;
  EXPECT_EQ(other.put(kRef, partial_of(1001)).code(), Errc::no_space);
  EXPECT_TRUE(other.put(kRef, partial_of(1000)).ok());
}

TEST_F(SpoolTest, AWriteThatFailsLeavesNothing) {
  test::FaultyDisk disk(real_disk());
  Spool other(disk, directory.path());
  disk.fail_writes = true;
  EXPECT_EQ(other.put(kRef, partial_of(1000)).code(), Errc::no_space);
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(other.bytes(), 0u);
}

TEST_F(SpoolTest, BeginsEmptyAndTouchesNothingElse) {
  ASSERT_TRUE(spool.put(kRef, partial_of(1000)).ok());
  std::ofstream(directory.path() + "/tasks/notes.txt") << "of a person";
  Spool next(real_disk(), directory.path());
  ASSERT_TRUE(next.open().ok());
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(next.read(kRef, 0, 10).code(), Errc::not_found);
}

class FetchTest : public SpoolTest {
 protected:
  FetchTest() : server(real_network(), real_clock(), worker_processors(spool), kWorkerRpcLimits) {
    EXPECT_TRUE(server.start({"127.0.0.1", 0}).ok());
    result.task = kRef.task;
    result.attempt = kRef.attempt;
    result.server = ServerId{4};
    result.results = server.address();
  }
  Result<std::string> fetch() { return PartialFetcher(real_network(), real_clock(), kRef.job, 20s).all(result); }
  RpcServer server;
  TaskResult result;
};

TEST_F(FetchTest, APartialOfManyPiecesComesAsItWasKept) {
  const std::string partial = partial_of((3u << 20) + 5);
  result.spooled = *spool.put(kRef, partial);
  EXPECT_EQ(*fetch(), partial);
}

TEST_F(FetchTest, WhatIsNotThereOrNotTheSameIsAnError) {
  result.spooled = SpooledPartial{1000, 1};
  EXPECT_EQ(fetch().code(), Errc::not_found) << "never kept";
  ASSERT_TRUE(spool.put(kRef, partial_of(1000)).ok());
  EXPECT_EQ(fetch().code(), Errc::corrupt) << "another checksum";
  result.spooled->bytes = 2000;
  EXPECT_EQ(fetch().code(), Errc::corrupt) << "it is shorter";
  result.results.port = 0;
  EXPECT_EQ(fetch().code(), Errc::unavailable) << "its worker is not there";
}

}  // namespace
}  // namespace cairn
