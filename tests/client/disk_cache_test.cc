// The disk tier of the block cache: what it keeps, for how long, and that nothing that happens to its files is
// believed.
#include "client/cache/disk_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "client/cache/cache_directory.h"
#include "common/base/random.h"
#include "tests/client/breakable_disk.h"
#include "tests/metaserver/temp_directory.h"
#include "tests/sim/sim_cluster.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMiB = 1 << 20;
constexpr Incarnation kIncarnation{77};

// What a test moves on by hand, from the thread that uses the cache and from its writer.
class HandClock : public Clock {
 public:
  Instant now() const override { return real_clock().now() + Duration{ahead_ns_.load()}; }
  int64_t wall_ns() const override { return real_clock().wall_ns(); }
  void advance(Duration by) { ahead_ns_ += by.count(); }

 private:
  std::atomic<int64_t> ahead_ns_ = 0;
};

PieceKey key_of(uint64_t number) { return {ChunkId{1 + number / 100}, number % 100 * 4096, 0}; }

std::vector<uint8_t> piece_of(uint64_t number, size_t bytes = kPieceBytes) {
  Random random(number + 1);
  std::vector<uint8_t> piece(bytes);
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    const uint64_t word = random();
    std::memcpy(piece.data() + i, &word, 8);
  }
  return piece;
}

bool admit(DiskCache& cache, uint64_t number, DiskCache::Wish wish = DiskCache::Wish::if_worth,
           size_t bytes = kPieceBytes) {
  const auto piece = std::make_shared<std::vector<uint8_t>>(piece_of(number, bytes));
  return cache.admit(key_of(number), piece, *piece, wish);
}

// As the read path does it: what is not there is fetched, and offered.
bool read_or_admit(DiskCache& cache, uint64_t number) {
  std::vector<uint8_t> out(kPieceBytes);
  if (cache.read(key_of(number), out)) return true;
  admit(cache, number);
  return false;
}

class DiskCacheTest : public testing::Test {
 protected:
  std::unique_ptr<DiskCache> open(uint64_t limit_bytes = 64 * kMiB, Incarnation incarnation = kIncarnation) {
    DiskCache::Options options;
    options.directory = directory_.path();
    options.limit_bytes = limit_bytes;
    options.keep_free_bytes = keep_free_;
    options.incarnation = incarnation;
    options.queue_bytes = queue_bytes_;
    auto opened = DiskCache::open(disk_, clock_, options);
    if (!opened.ok()) throw std::runtime_error(opened.error().what);
    return std::move(opened).value();
  }
  // Everything queued is written or given up. With a deadline, by the real clock.
  static void settle(DiskCache& cache) {
    const Instant deadline = real_clock().now() + 30s;
    while (cache.status().queued_bytes > 0) ASSERT_LT(real_clock().now(), deadline);
  }
  // How many of these are there; each that is must be right.
  static uint64_t count(DiskCache& cache, uint64_t from, uint64_t to, size_t bytes = kPieceBytes) {
    uint64_t there = 0;
    for (uint64_t i = from; i < to; ++i) {
      std::vector<uint8_t> out(bytes, 0xee);
      if (!cache.read(key_of(i), out)) continue;
      ++there;
      EXPECT_EQ(out, piece_of(i, bytes)) << "piece " << i;
    }
    return there;
  }
  std::vector<fs::path> segments() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory_.path())) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
  uint64_t bytes_on_disk() const {
    uint64_t bytes = 0;
    for (const fs::path& path : segments()) bytes += fs::file_size(path);
    return bytes;
  }

  TempDirectory directory_;
  test::BreakableDisk disk_;
  HandClock clock_;
  uint64_t keep_free_ = 0;
  uint64_t queue_bytes_ = 64 * kMiB;
};

TEST_F(DiskCacheTest, WhatWasAdmittedIsReadFromTheQueueAndThenFromTheDisk) {
  const auto cache = open();
  disk_.hold_writes(true);
  for (uint64_t i = 0; i < 20; ++i) EXPECT_TRUE(admit(*cache, i));
  EXPECT_EQ(count(*cache, 0, 30), 20u);
  disk_.hold_writes(false);
  settle(*cache);
  EXPECT_EQ(count(*cache, 0, 30), 20u);
  const DiskCacheStatus status = cache->status();
  EXPECT_EQ(status.entries, 20u);
  EXPECT_EQ(status.admitted, 20u);
  EXPECT_EQ(status.hits, 40u);
  EXPECT_EQ(status.misses, 20u);
  EXPECT_EQ(status.state, DiskCacheState::good);
}

TEST_F(DiskCacheTest, ItIsKeptOverARestart) {
  for (uint64_t round = 0; round < 3; ++round) {
    const auto cache = open();
    EXPECT_EQ(count(*cache, 0, 100), round * 30);
    for (uint64_t i = 0; i < 30; ++i) EXPECT_TRUE(admit(*cache, round * 30 + i));
  }
  EXPECT_EQ(open()->status().entries, 90u);
}

TEST_F(DiskCacheTest, AnIndexAndAScanFindTheSame) {
  {
    const auto cache = open();
    for (uint64_t i = 0; i < 40; ++i)
      EXPECT_TRUE(admit(*cache, i));  // several segments of 1 MiB, the last without index
  }
  ASSERT_GT(segments().size(), 3u);
  for (const fs::path& path : segments()) fs::resize_file(path, fs::file_size(path) - 1);  // cuts each index off
  const auto cache = open();
  EXPECT_GE(count(*cache, 0, 40), 39u);  // the last record of the last segment is torn
}

TEST_F(DiskCacheTest, TornAndFlippedBytesAreNeverServed) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    for (const fs::path& path : segments()) fs::remove(path);
    {
      const auto cache = open();
      for (uint64_t i = 0; i < 30; ++i) admit(*cache, i, DiskCache::Wish::if_worth, 4096 * (1 + i % 3));
    }
    Random random(seed);
    const auto cache = random.one_in(2) ? nullptr : open();  // damaged while it runs, or before
    for (const fs::path& path : segments()) {
      if (random.one_in(4)) fs::resize_file(path, random.below(fs::file_size(path)));
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      for (uint64_t flips = random.below(6); flips > 0 && fs::file_size(path) > 0; --flips) {
        file.seekp(static_cast<std::streamoff>(random.below(fs::file_size(path))));
        file.put(static_cast<char>(random()));
      }
    }
    const auto used = cache == nullptr ? open() : nullptr;
    DiskCache& tested = cache == nullptr ? *used : *cache;
    for (uint64_t i = 0; i < 30; ++i) count(tested, i, i + 1, 4096 * (1 + i % 3));
    // A bad one is forgotten, so that it can be stored again.
    for (uint64_t i = 0; i < 30; ++i) admit(tested, i, DiskCache::Wish::must, 4096 * (1 + i % 3));
    settle(tested);
    for (uint64_t i = 0; i < 30; ++i) EXPECT_EQ(count(tested, i, i + 1, 4096 * (1 + i % 3)), 1u) << "seed " << seed;
  }
}

TEST_F(DiskCacheTest, APieceUnderAnotherNameIsBad) {
  {
    const auto cache = open();
    admit(*cache, 1);
    admit(*cache, 2);
  }
  ASSERT_EQ(segments().size(), 1u);
  // The two pieces change places; each is whole.
  std::fstream file(segments()[0], std::ios::in | std::ios::out | std::ios::binary);
  const auto write = [&](uint64_t at, const std::vector<uint8_t>& piece) {
    file.seekp(static_cast<std::streamoff>(at));
    file.write(reinterpret_cast<const char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
  };
  write(kCacheRecordBytes, piece_of(2));
  write(2 * kCacheRecordBytes + kPieceBytes, piece_of(1));
  file.close();
  const auto cache = open();
  EXPECT_EQ(count(*cache, 1, 3), 0u);
  EXPECT_EQ(cache->status().bad, 2u);
}

TEST_F(DiskCacheTest, AnotherDatabasesPiecesAreNotOurs) {
  { EXPECT_TRUE(admit(*open(), 1)); }
  const auto cache = open(64 * kMiB, Incarnation{78});
  EXPECT_EQ(count(*cache, 0, 5), 0u);
  EXPECT_TRUE(segments().empty());
}

TEST_F(DiskCacheTest, FilesMayBeDeletedAtAnyTime) {
  const auto cache = open();
  for (uint64_t i = 0; i < 40; ++i) admit(*cache, i);
  settle(*cache);
  for (const fs::path& path : segments()) fs::remove(path);
  count(*cache, 0, 40);  // still readable or not, but right
  for (uint64_t i = 40; i < 80; ++i) EXPECT_TRUE(admit(*cache, i));
  settle(*cache);
  EXPECT_EQ(count(*cache, 40, 80), 40u);
  EXPECT_EQ(count(*cache, 0, 40), 0u);  // noticed with the first append: their space is given back
  fs::remove_all(directory_.path());
  for (uint64_t i = 80; i < 90; ++i) EXPECT_TRUE(admit(*cache, i));
  settle(*cache);
  EXPECT_EQ(count(*cache, 80, 90), 10u);
  EXPECT_EQ(cache->status().state, DiskCacheState::good);
}

TEST_F(DiskCacheTest, ItsSizeIsBounded) {
  const auto cache = open(8 * kMiB);
  Random random(3);
  for (uint64_t i = 0; i < 500; ++i) {
    admit(*cache, i, DiskCache::Wish::must, 4096 * random.between(1, 32));
    if (i % 50 != 0) continue;
    settle(*cache);
    EXPECT_LE(bytes_on_disk(), 8 * kMiB);
    EXPECT_LE(cache->status().used_bytes, 8 * kMiB);
  }
  settle(*cache);
  EXPECT_GT(bytes_on_disk(), 5 * kMiB);
  EXPECT_GT(cache->status().evicted, 100u);
}

TEST_F(DiskCacheTest, ASmallerLimitHoldsFromTheNextStartOn) {
  {
    const auto cache = open(32 * kMiB);
    for (uint64_t i = 0; i < 200; ++i) admit(*cache, i);
  }
  const auto cache = open(8 * kMiB);
  EXPECT_LE(bytes_on_disk(), 8 * kMiB);
  EXPECT_GT(count(*cache, 0, 200), 40u);
}

TEST_F(DiskCacheTest, TheDisksOthersKeepTheirSpace) {
  keep_free_ = 100 * kMiB;
  const auto cache = open();
  for (uint64_t i = 0; i < 40; ++i) admit(*cache, i);
  settle(*cache);
  EXPECT_EQ(cache->status().entries, 40u);
  disk_.free_bytes = 90 * kMiB;  // it does not get more by what is evicted: others take it
  admit(*cache, 50, DiskCache::Wish::must);
  settle(*cache);
  EXPECT_EQ(cache->status().entries, 0u);
  EXPECT_EQ(cache->status().state, DiskCacheState::full);
  EXPECT_FALSE(admit(*cache, 51, DiskCache::Wish::must));
  disk_.free_bytes = 1000 * kMiB;
  clock_.advance(2s);
  EXPECT_TRUE(admit(*cache, 52));
  settle(*cache);
  EXPECT_EQ(count(*cache, 52, 53), 1u);
  EXPECT_EQ(cache->status().state, DiskCacheState::good);
}

TEST_F(DiskCacheTest, AFullDiskIsLeftAloneForAWhile) {
  const auto cache = open();
  disk_.room = 3 * kMiB;
  for (uint64_t i = 0; i < 100; ++i) admit(*cache, i);
  settle(*cache);
  EXPECT_EQ(cache->status().state, DiskCacheState::full);
  EXPECT_GT(cache->status().dropped, 50u);
  const uint64_t there = cache->status().entries;
  EXPECT_EQ(count(*cache, 0, 100), there);  // what it has is served
  disk_.room = UINT64_MAX;
  EXPECT_FALSE(admit(*cache, 200));
  clock_.advance(2s);
  EXPECT_TRUE(admit(*cache, 200));
  settle(*cache);
  EXPECT_EQ(count(*cache, 200, 201), 1u);
}

TEST_F(DiskCacheTest, AFailingDiskCostsNothingButItsHits) {
  const auto cache = open();
  for (uint64_t i = 0; i < 20; ++i) admit(*cache, i);
  settle(*cache);
  disk_.fail_reads = true;
  EXPECT_EQ(count(*cache, 0, 20), 0u);
  EXPECT_EQ(cache->status().state, DiskCacheState::failed);
  EXPECT_EQ(cache->status().bad, 1u);  // then it was left alone
  disk_.fail_reads = false;
  clock_.advance(2s);
  EXPECT_EQ(count(*cache, 0, 20), 19u);
  EXPECT_EQ(cache->status().state, DiskCacheState::good);
  disk_.fail_writes = true;
  admit(*cache, 30);
  settle(*cache);
  EXPECT_EQ(cache->status().state, DiskCacheState::failed);
  EXPECT_EQ(count(*cache, 1, 20), 19u);
  disk_.fail_writes = false;
  clock_.advance(10s);
  EXPECT_TRUE(admit(*cache, 31));
  settle(*cache);
  EXPECT_EQ(count(*cache, 31, 32), 1u);
}

TEST_F(DiskCacheTest, ADiskThatIsBehindHoldsUpNobodyForLong) {
  queue_bytes_ = kMiB;
  const auto cache = open();
  disk_.hold_writes(true);
  uint64_t taken = 0;
  for (uint64_t i = 0; i < 20; ++i) taken += admit(*cache, i) ? 1 : 0;
  EXPECT_EQ(taken, 8u);
  EXPECT_EQ(cache->status().dropped, 12u);
  EXPECT_FALSE(cache->takes_more());
  Thread patient("patient", [&] { EXPECT_TRUE(admit(*cache, 30, DiskCache::Wish::must)); });
  disk_.hold_writes(false);
  patient.join();
  settle(*cache);
  EXPECT_EQ(count(*cache, 0, 8), 8u);
  EXPECT_EQ(count(*cache, 30, 31), 1u);
}

TEST_F(DiskCacheTest, AScanOfMuchDataDoesNotPushOutWhatIsUsedAgainAndAgain) {
  const auto cache = open(16 * kMiB);
  constexpr uint64_t kHot = 64;  // 8 MiB
  for (int round = 0; round < 3; ++round) {
    for (uint64_t i = 0; i < kHot; ++i) read_or_admit(*cache, i);
    for (uint64_t i = 0; i < 300; ++i) cache->note_use(ChunkId{9999}, i, 0, 1);  // other visits between the rounds
    settle(*cache);
  }
  for (uint64_t i = 1000; i < 1800; ++i) {  // 100 MiB, once
    read_or_admit(*cache, i);
    settle(*cache);
  }
  EXPECT_EQ(count(*cache, 0, kHot), kHot);
  EXPECT_GT(cache->status().rejected, 500u);
}

TEST_F(DiskCacheTest, ANewWorkingSetGetsInWhenItIsUsedAgain) {
  const auto cache = open(16 * kMiB);
  for (uint64_t i = 0; i < 120; ++i) read_or_admit(*cache, i);
  settle(*cache);
  uint64_t hits = 0;
  for (int round = 0; round < 8; ++round) {
    hits = 0;
    for (uint64_t i = 1000; i < 1064; ++i) hits += read_or_admit(*cache, i) ? 1 : 0;
    for (uint64_t i = 0; i < 300; ++i) cache->note_use(ChunkId{9999}, i, 0, 1);
    settle(*cache);
  }
  EXPECT_EQ(hits, 64u);
}

TEST_F(DiskCacheTest, DroppedMeansEmptyAlsoForWhatIsJustBeingWritten) {
  const auto cache = open();
  for (uint64_t i = 0; i < 20; ++i) admit(*cache, i);
  settle(*cache);
  disk_.hold_writes(true);
  for (uint64_t i = 20; i < 40; ++i) admit(*cache, i);
  cache->clear();
  disk_.hold_writes(false);
  for (uint64_t i = 100; i < 105; ++i) admit(*cache, i);
  settle(*cache);
  EXPECT_EQ(count(*cache, 0, 40), 0u);
  EXPECT_EQ(count(*cache, 100, 105), 5u);
  EXPECT_EQ(cache->status().entries, 5u);
}

TEST_F(DiskCacheTest, ManyThreadsUseItAtOnce) {
  const auto cache = open(8 * kMiB);
  std::vector<Thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back("user", [&, t] {
      Random random(t + 1);
      for (int i = 0; i < 400; ++i) {
        const uint64_t number = random.below(150);
        if (count(*cache, number, number + 1, 16384) == 0) admit(*cache, number, DiskCache::Wish::if_worth, 16384);
        if (random.one_in(100)) cache->clear();
        if (random.one_in(20)) cache->status();
      }
    });
  }
  for (Thread& thread : threads) thread.join();
  settle(*cache);
  EXPECT_LE(bytes_on_disk(), 8 * kMiB);
}

TEST_F(DiskCacheTest, ADirectoryBelongsToOneMount) {
  const std::string path = directory_.path() + "/of/its/own";
  auto first = CacheDirectory::take(path);
  ASSERT_TRUE(first.ok()) << first.error().what;
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  const auto second = CacheDirectory::take(path);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), Errc::busy);
  { const CacheDirectory gone = std::move(first).value(); }
  EXPECT_TRUE(CacheDirectory::take(path).ok());
}

// A simulated disk forgets and tears what was not synced, and nothing here is ever synced.
TEST(DiskCacheSimulationTest, APowerCutLeavesNothingThatIsWrong) {
  uint64_t survived = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SimCluster cluster(seed);
    uint64_t found = 0;
    const auto cached = [](SimMachine& machine) {
      DiskCache::Options options;
      options.directory = "/cache";
      options.limit_bytes = 8 * kMiB;
      options.incarnation = kIncarnation;
      auto cache = DiskCache::open(machine.disk, machine.clock, options);
      if (!cache.ok()) throw std::runtime_error(cache.error().what);
      return std::move(cache).value();
    };
    cluster.start("client", [&](SimMachine& machine) {
      ASSERT_TRUE(machine.disk.make_directories("/cache").ok());
      const auto cache = cached(machine);
      for (uint64_t i = 0;; ++i) {
        std::vector<uint8_t> out(8192);
        if (cache->read(key_of(i % 200), out)) {
          EXPECT_EQ(out, piece_of(i % 200, 8192));
          if (i < 200) ++found;
        }
        admit(*cache, i % 200, DiskCache::Wish::must, 8192);
        Mutex mutex;
        CondVar never;
        Lock lock(mutex);
        never.wait_until(lock, machine.clock.now() + 100us);
      }
    });
    const Status ran = cluster.run([&] {
      Mutex mutex;
      CondVar never;
      for (int cut = 0; cut < 4; ++cut) {
        {
          Lock lock(mutex);
          never.wait_until(lock, cluster.scheduler().now() + Duration{1'000'000 * (10 + seed)});
        }
        cluster.power_cut("client");
        cluster.restart("client");
      }
    });
    ASSERT_TRUE(ran.ok()) << ran.error().what;
    survived += found;
  }
  EXPECT_GT(survived, 0u);
}

}  // namespace
}  // namespace cairn
