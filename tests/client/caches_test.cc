// The caches of stripes and names, the detector of sequential readers, and the session's clockwork.
#include <gtest/gtest.h>

#include <map>

#include "client/cache/block_cache.h"
#include "client/inodes/name_cache.h"
#include "client/read/sequential_detector.h"
#include "client/sessions/session_core.h"
#include "common/base/random.h"

namespace cairn {
namespace {

std::shared_ptr<CachedStripe> stripe(size_t bytes) {
  return std::make_shared<CachedStripe>(0, bytes, std::make_shared<BufferSpares>(1 << 20));
}

TEST(BlockCacheTest, AStripeIsFetchedOnceWhileOthersWait) {
  BlockCache cache(1 << 20);
  const StripeKey key{ChunkId{1}, 4096};
  EXPECT_EQ(cache.find(key, {0}), nullptr);
  EXPECT_TRUE(cache.claim(key, 0, 4096));
  EXPECT_FALSE(cache.claim(key, 0, 4096));
  std::shared_ptr<const CachedStripe> seen;
  {
    Thread waiter("waiter", [&] { seen = cache.find(key, Instant::never()); });
    cache.fulfil(key, stripe(4096));
  }
  EXPECT_NE(seen, nullptr);
  EXPECT_FALSE(cache.claim(key, 0, 4096));
}

TEST(BlockCacheTest, AnAbandonedStripeIsAbsentAgain) {
  BlockCache cache(1 << 20);
  const StripeKey key{ChunkId{1}, 4096};
  EXPECT_TRUE(cache.claim(key, 0, 4096));
  {
    Thread waiter("waiter", [&] { EXPECT_EQ(cache.find(key, Instant::never()), nullptr); });
    cache.abandon(key);
  }
  EXPECT_TRUE(cache.claim(key, 0, 4096));
}

TEST(BlockCacheTest, BytesAreBoundedAndTheLeastRecentlyUsedGoFirst) {
  BlockCache cache(10 * 4096);
  for (uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(cache.claim({ChunkId{1}, i}, 0, 4096));
    cache.fulfil({ChunkId{1}, i}, stripe(4096));
  }
  EXPECT_NE(cache.find({ChunkId{1}, 0}, {0}), nullptr);
  ASSERT_TRUE(cache.claim({ChunkId{2}, 0}, 0, 4096));
  cache.fulfil({ChunkId{2}, 0}, stripe(4096));
  EXPECT_LE(cache.cached_bytes(), 10u * 4096);
  EXPECT_NE(cache.find({ChunkId{1}, 0}, {0}), nullptr);
  EXPECT_EQ(cache.find({ChunkId{1}, 1}, {0}), nullptr);
}

TEST(BlockCacheTest, APartOfAStripeIsReplacedByMoreOfItWhenThatIsAskedFor) {
  BlockCache cache(1 << 20);
  const StripeKey key{ChunkId{1}, 4096};
  ASSERT_TRUE(cache.claim(key, 0, 4096));
  cache.fulfil(key, stripe(4096));
  EXPECT_FALSE(cache.claim(key, 0, 4096));
  EXPECT_TRUE(cache.claim(key, 0, 8192));
  EXPECT_EQ(cache.cached_bytes(), 0u);
  cache.fulfil(key, stripe(8192));
  EXPECT_FALSE(cache.claim(key, 4096, 8192));
  EXPECT_EQ(cache.cached_bytes(), 8192u);
  EXPECT_EQ(cache.entries(), 1u);
}

TEST(BlockCacheTest, ASecondFileOfTheSameStripeIsNoticed) {
  BlockCache cache(1 << 20);
  const StripeKey key{ChunkId{1}, 4096};
  EXPECT_FALSE(cache.note_small_read(key, InodeId{1}));
  EXPECT_FALSE(cache.note_small_read(key, InodeId{1}));
  EXPECT_TRUE(cache.note_small_read(key, InodeId{2}));
}

void change(NameCache& names, InodeId parent, const std::string& name, NameCache::Known known) {
  NameCache::Change(names, parent, name).became(known);
}

TEST(NameCacheTest, AnOlderAnswerIsNotStoredOverAChange) {
  NameCache names(100);
  const uint64_t ticket = names.ticket(InodeId{1}, "a");
  change(names, InodeId{1}, "a", {InodeId{7}, 3});
  names.store(InodeId{1}, "a", {}, ticket);
  ASSERT_TRUE(names.find(InodeId{1}, "a").has_value());
  EXPECT_EQ(names.find(InodeId{1}, "a")->inode, InodeId{7});
}

TEST(NameCacheTest, ANewDirectoryIsKnownCompletelyUntilAnOutcomeIsUnknown) {
  NameCache names(100);
  EXPECT_FALSE(names.find(InodeId{9}, "x").has_value());
  names.made_directory(InodeId{9});
  ASSERT_TRUE(names.find(InodeId{9}, "x").has_value());
  EXPECT_EQ(raw(names.find(InodeId{9}, "x")->inode), 0u);
  { const NameCache::Change without_an_answer(names, InodeId{9}, "y"); }
  EXPECT_FALSE(names.find(InodeId{9}, "x").has_value());
}

// An unlink whose answer was lost is repeated and answered after the name was made anew.
TEST(NameCacheTest, OfChangesThatWereUnderWayAtOnceNoneSaysWhatTheNameIs) {
  NameCache names(100);
  names.made_directory(InodeId{1});
  {
    NameCache::Change removed(names, InodeId{1}, "a");
    change(names, InodeId{1}, "a", {InodeId{7}, 3});
    EXPECT_FALSE(names.find(InodeId{1}, "a").has_value());
    change(names, InodeId{1}, "b", {InodeId{8}, 4});
    EXPECT_TRUE(names.find(InodeId{1}, "b").has_value()) << "another name";
    removed.became({});
    EXPECT_FALSE(names.find(InodeId{1}, "a").has_value());
  }
  change(names, InodeId{1}, "a", {InodeId{9}, 5});
  ASSERT_TRUE(names.find(InodeId{1}, "a").has_value());
  EXPECT_EQ(names.find(InodeId{1}, "a")->inode, InodeId{9});
}

// What the cache says is what is there, or nothing; and it stays within its bound.
TEST(NameCacheTest, NeverContradictsTheDirectoriesOfAModel) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    NameCache names(random.between(3, 40));
    std::map<std::pair<uint64_t, std::string>, uint64_t> model;
    uint64_t next = 100;
    std::vector<uint64_t> directories{1};
    for (int step = 0; step < 300; ++step) {
      const uint64_t parent = directories[random.below(directories.size())];
      const std::string name(1, static_cast<char>('a' + random.below(12)));
      const auto there = model.find({parent, name});
      switch (random.below(5)) {
        case 0:
          if (there != model.end()) break;
          model[{parent, name}] = next;
          change(names, InodeId{parent}, name, {InodeId{next}, 1});
          if (random.one_in(4)) {
            directories.push_back(next);
            names.made_directory(InodeId{next});
          }
          ++next;
          break;
        case 1:
          if (there == model.end()) break;
          change(names, InodeId{parent}, name, {});
          model.erase(there);
          break;
        case 2:
          names.store(InodeId{parent}, name,
                      there == model.end() ? NameCache::Known{} : NameCache::Known{InodeId{there->second}, 1},
                      names.ticket(InodeId{parent}, name));
          break;
        default: {
          const auto known = names.find(InodeId{parent}, name);
          if (known) {
            ASSERT_EQ(raw(known->inode), there == model.end() ? 0u : there->second)
                << "seed " << seed << " step " << step;
          }
          break;
        }
      }
      ASSERT_LE(names.size(), 41u);
    }
  }
}

TEST(SequentialDetectorTest, AReaderFromFrontToBackIsFetchedFor) {
  SequentialDetector detector;
  const uint64_t size = 100 << 20;
  uint64_t fetched_to = 0;
  for (uint64_t at = 0; at < size; at += 128 << 10) {
    const auto advice = detector.on_read(at, 128 << 10, size, 8 << 20);
    EXPECT_EQ(advice.sequential, at > 0);
    if (advice.fetch_from < advice.fetch_to) {
      if (fetched_to != 0) {
        EXPECT_EQ(advice.fetch_from, fetched_to);
      }
      fetched_to = advice.fetch_to;
      EXPECT_LE(fetched_to, std::min(size, at + (128 << 10) + (8 << 20)));
    }
    if (at > 2 << 20) {
      EXPECT_GE(fetched_to, std::min(size, at + (128 << 10) + (1 << 20)));
    }
  }
  EXPECT_EQ(fetched_to, size);
}

// What random reads would fetch besides: for small ones nothing, for those as long as a kernel's request next to
// nothing.
TEST(SequentialDetectorTest, RandomReadsAreLeftAlone) {
  constexpr uint64_t kSize = 256 << 20;
  for (const uint64_t length : {4u << 10, 128u << 10}) {
    for (const bool aligned : {true, false}) {
      SequentialDetector detector;
      Random random(5);
      uint64_t fetched = 0, sequential = 0;
      for (int i = 0; i < 50'000; ++i) {
        const uint64_t at = random.below(kSize - length);
        const auto advice = detector.on_read(aligned ? at / length * length : at, length, kSize, 8 << 20);
        fetched += advice.fetch_to - advice.fetch_from;
        sequential += advice.sequential ? 1 : 0;
      }
      if (length == 4096) {
        EXPECT_EQ(sequential, 0u);
        EXPECT_EQ(fetched, 0u);
      }
      EXPECT_LT(fetched, 50'000 * length / 500);
    }
  }
}

// One that begins in the middle needs one read more to be believed.
TEST(SequentialDetectorTest, AReaderFromTheMiddleIsFetchedForFromItsThirdReadOn) {
  for (const uint64_t length : {4u << 10, 128u << 10}) {
    SequentialDetector detector;
    for (uint64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(detector.on_read((50 << 20) + i * length, length, 1 << 30, 8 << 20).sequential, i >= 2) << i;
    }
  }
}

// Requests of one reader that several workers have taken.
TEST(SequentialDetectorTest, AReaderWhoseReadsArriveOutOfOrderIsFetchedFor) {
  for (const uint64_t length : {4u << 10, 128u << 10}) {
    SequentialDetector detector;
    int sequential = 0;
    for (uint64_t i = 0; i < 40; ++i) {
      const uint64_t place = (i & ~3ull) | (3 - (i & 3));  // 3 2 1 0 7 6 5 4 ...
      if (detector.on_read(place * length, length, 1 << 30, 8 << 20).sequential) ++sequential;
    }
    EXPECT_GE(sequential, 36);
  }
}

TEST(SequentialDetectorTest, FourReadersAtOnceAreToldApart) {
  SequentialDetector detector;
  int sequential = 0;
  for (uint64_t step = 0; step < 20; ++step) {
    for (uint64_t reader = 0; reader < 4; ++reader) {
      if (detector.on_read((reader << 28) + (step << 17), 1 << 17, 2ull << 30, 8 << 20).sequential) ++sequential;
    }
  }
  EXPECT_EQ(sequential, 19 + 3 * 18);
}

// Reads of 64 KiB, each `stride` further on; how many of them were fetched before they were asked for.
int foreseen(SequentialDetector& detector, std::map<uint64_t, uint64_t>& fetched, uint64_t first, int64_t stride,
             int from, int to, uint64_t size) {
  int hits = 0;
  for (int i = from; i < to; ++i) {
    const uint64_t at = first + static_cast<uint64_t>(stride * i);
    if (fetched.contains(at)) ++hits;
    const auto advice = detector.on_read(at, 64 << 10, size, 8 << 20);
    for (uint32_t n = 0; advice.fetch_from < advice.fetch_to && n < advice.ranges; ++n) {
      const uint64_t range = advice.fetch_from + static_cast<uint64_t>(advice.stride * int64_t{n});
      EXPECT_LE(range + advice.fetch_to - advice.fetch_from, size);
      EXPECT_TRUE(advice.stride == 0 || !fetched.contains(range)) << "advised twice: " << range;
      fetched[range] = range + advice.fetch_to - advice.fetch_from;
    }
  }
  return hits;
}

TEST(SequentialDetectorTest, AStridedReaderIsFetchedFor) {
  for (const int64_t stride : {int64_t{1} << 20, int64_t{5'000'000}, -(int64_t{1} << 20)}) {
    SequentialDetector detector;
    std::map<uint64_t, uint64_t> fetched;
    const uint64_t size = 600 << 20;
    EXPECT_EQ(foreseen(detector, fetched, stride < 0 ? size - (64 << 10) : 0, stride, 0, 100, size), 100 - 4) << stride;
  }
}

TEST(SequentialDetectorTest, ReadsBehindTheEndAreNoReader) {
  SequentialDetector detector;
  for (uint64_t i = 0; i < 20; ++i) {
    const auto advice = detector.on_read((1 << 20) + i * 4096, 0, 1 << 20, 8 << 20);
    EXPECT_FALSE(advice.sequential);
    EXPECT_EQ(advice.fetch_from, advice.fetch_to);
  }
}

TEST(SequentialDetectorTest, AStridedReaderIsNotFetchedForBeyondTheFile) {
  SequentialDetector detector;
  std::map<uint64_t, uint64_t> fetched;
  EXPECT_EQ(foreseen(detector, fetched, 0, 1 << 20, 0, 20, (20 << 20) - 1), 20 - 4);
  EXPECT_EQ(fetched.size(), 16u);
}

TEST(SequentialDetectorTest, SeveralStridedReadersAndASequentialOneAreToldApart) {
  SequentialDetector detector;
  std::map<uint64_t, uint64_t> fetched;
  const uint64_t size = uint64_t{4} << 30;
  int hits = 0, sequential = 0;
  for (int step = 0; step < 40; ++step) {
    hits += foreseen(detector, fetched, 0, 3 << 20, step, step + 1, size);
    hits += foreseen(detector, fetched, uint64_t{1} << 30, 2 << 20, step, step + 1, size);
    if (detector.on_read((uint64_t{3} << 30) + (static_cast<uint64_t>(step) << 17), 1 << 17, size, 8 << 20).sequential)
      ++sequential;
  }
  EXPECT_EQ(hits, 2 * (40 - 4));
  EXPECT_GE(sequential, 36);
}

TEST(SessionCoreTest, TrustEndsBeforeTheTtlCountedFromTheQuestion) {
  SessionCore core(20s, {0});
  EXPECT_EQ(core.renew_at(), Instant{0} + 5s);
  EXPECT_TRUE(core.trusted(Instant{0} + 17s));
  EXPECT_FALSE(core.trusted(Instant{0} + 18s));
  core.on_renewed(Instant{0} + 5s, 20s);
  EXPECT_TRUE(core.trusted(Instant{0} + 20s));
  EXPECT_EQ(core.renew_at(), Instant{0} + 10s);
}

TEST(SessionCoreTest, AFailedRenewalIsTriedAgainSoonAndDoesNotProlongTrust) {
  SessionCore core(20s, {0});
  const Instant until = core.trust_until();
  core.on_renewal_failed(Instant{0} + 6s);
  EXPECT_EQ(core.renew_at(), Instant{0} + 7s);
  EXPECT_EQ(core.trust_until(), until);
}

}  // namespace
}  // namespace cairn
