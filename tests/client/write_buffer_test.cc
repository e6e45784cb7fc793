// The layers of buffered writes against a model that is an array of bytes.
#include "client/write/write_buffer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "common/base/random.h"

namespace cairn {
namespace {

constexpr uint64_t kFile = 64 << 10;

std::shared_ptr<BufferBudget> budget() {
  return std::make_shared<BufferBudget>(64u << 20, std::make_shared<BufferSpares>(1u << 20));
}

std::vector<uint8_t> bytes(Random& random, size_t count) {
  std::vector<uint8_t> made(count);
  for (uint8_t& byte : made) byte = static_cast<uint8_t>(random.between(1, 255));
  return made;
}

// What a reader sees through the layers; 0 where nothing is buffered.
std::vector<uint8_t> image(const DirtyLayer& dirty, const std::vector<std::shared_ptr<FlushLayer>>& flushing) {
  std::vector<uint8_t> seen(kFile);
  const auto lay = [&](const PieceMap& pieces) {
    for (const auto& [offset, piece] : pieces) std::memcpy(seen.data() + offset, piece.data(), piece.length);
  };
  for (const auto& layer : flushing) lay(layer->pieces);
  lay(dirty.pieces());
  return seen;
}

TEST(PieceMapTest, BytesAreCountedThroughRandomChanges) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    PieceMap map;
    std::vector<bool> covered(1000);
    const auto segment = std::make_shared<Segment>(budget(), 4096);
    for (int step = 0; step < 60; ++step) {
      const uint64_t from = random.below(900), to = from + random.between(1, 100);
      const Piece piece{from, static_cast<uint32_t>(to - from), segment, static_cast<uint32_t>(random.below(100))};
      switch (random.below(3)) {
        case 0:
          map.insert(piece);
          std::fill(covered.begin() + from, covered.begin() + to, true);
          break;
        case 1:
          map.insert_below(piece);
          std::fill(covered.begin() + from, covered.begin() + to, true);
          break;
        default:
          map.erase(from, to);
          std::fill(covered.begin() + from, covered.begin() + to, false);
          break;
      }
      ASSERT_EQ(map.bytes(), static_cast<uint64_t>(std::count(covered.begin(), covered.end(), true)))
          << "seed " << seed;
      for (uint64_t at = 0; at < 1000; ++at)
        ASSERT_EQ(map.covers(at, at + 1), covered[at]) << "seed " << seed << " at " << at;
    }
  }
}

TEST(DirtyLayerTest, LayersShowTheNewestBytesThroughTakesAndPutBacks) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Random random(seed);
    const auto memory = budget();
    std::vector<uint8_t> model(kFile);
    DirtyLayer dirty;
    std::vector<std::shared_ptr<FlushLayer>> flushing;
    for (int step = 0; step < 80; ++step) {
      switch (random.below(8)) {
        default: {
          const uint64_t offset = random.below(kFile - 1),
                         length = random.between(1, std::min<uint64_t>(kFile - offset, random.one_in(4) ? 20000 : 300));
          const auto data = bytes(random, length);
          dirty.write(memory, offset, data, {1, 0}, {step});
          std::copy(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(offset));
          break;
        }
        case 5:
          if (!dirty.empty()) flushing.push_back(dirty.take());
          break;
        case 6:  // the oldest one, or one in the middle, could not be committed
          if (!flushing.empty()) {
            const size_t which = random.below(flushing.size());
            const auto layer = flushing[which];
            const std::vector<std::shared_ptr<FlushLayer>> newer(
                flushing.begin() + static_cast<std::ptrdiff_t>(which) + 1, flushing.end());
            // Older layers keep their bytes; those of this one go below newer bytes only.
            flushing.erase(flushing.begin() + static_cast<std::ptrdiff_t>(which));
            dirty.put_back(*layer, newer);
          }
          break;
        case 7: {
          const uint64_t size = random.below(kFile);
          if (flushing.empty()) {
            dirty.truncate(size);
            std::fill(model.begin() + static_cast<std::ptrdiff_t>(size), model.end(), 0);
          }
          break;
        }
      }
      ASSERT_EQ(image(dirty, flushing), model) << "seed " << seed << " step " << step;
    }
  }
}

TEST(DirtyLayerTest, AStreamIsCutAtEndsOfWritesOnly) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    const auto memory = budget();
    DirtyLayer dirty;
    std::vector<uint64_t> ends;
    uint64_t at = random.below(5000);
    const uint64_t start = at;
    const uint64_t write = random.one_in(2) ? uint64_t{1} << random.between(9, 17) : random.between(1000, 100000);
    while (at < start + (3u << 20)) {
      dirty.write(memory, at, std::vector<uint8_t>(write), {}, {});
      at += write;
      ends.push_back(at);
    }
    EXPECT_EQ(dirty.stream_bytes(), at - start);
    const auto cut = dirty.stream_cut(256 << 10, 1 << 20, 256 << 10);
    ASSERT_TRUE(cut.has_value()) << "seed " << seed;
    EXPECT_TRUE(std::binary_search(ends.begin(), ends.end(), *cut));
    EXPECT_LE(*cut, start + (1 << 20));
    if ((256 << 10) % write == 0) {
      EXPECT_EQ((*cut - start) % (256 << 10), 0u);
    }
    const auto layer = dirty.take_below(*cut);
    EXPECT_EQ(layer->pieces.bytes(), *cut - start);
    EXPECT_EQ(dirty.pieces().begin_offset(), *cut);
    EXPECT_EQ(dirty.stream_bytes(), at - *cut);
  }
}

TEST(DirtyLayerTest, AStreamFillsWholeMebibytesOfMemory) {
  const auto memory = budget();
  DirtyLayer dirty;
  for (uint64_t at = 0; at < (8u << 20); at += 4096) dirty.write(memory, at, std::vector<uint8_t>(4096), {}, {});
  EXPECT_EQ(dirty.pieces().bytes(), 8u << 20);
  EXPECT_EQ(memory->held(), 8u << 20);
  for (const auto& [offset, piece] : dirty.pieces()) {
    if (offset >= (1 << 20)) {
      EXPECT_EQ(piece.length, 1u << 20);
    }
  }
}

TEST(DirtyLayerTest, ARandomWriteMakesItNoStream) {
  const auto memory = budget();
  DirtyLayer dirty;
  dirty.write(memory, 0, std::vector<uint8_t>(1 << 20), {}, {});
  dirty.write(memory, 4096, std::vector<uint8_t>(512), {}, {});
  EXPECT_EQ(dirty.stream_bytes(), 0u);
  EXPECT_FALSE(dirty.stream_cut(1, 1 << 20, 1).has_value());
}

TEST(DirtyLayerTest, AGrowthWithoutBytesIsDirtyUntilTaken) {
  DirtyLayer dirty;
  dirty.grow(5000, {3, 0}, {7});
  EXPECT_FALSE(dirty.empty());
  EXPECT_EQ(dirty.since().ns, 7);
  const auto layer = dirty.take();
  EXPECT_EQ(layer->size_at_least, 5000u);
  EXPECT_EQ(layer->mtime.seconds, 3);
  EXPECT_TRUE(dirty.empty());
}

TEST(BufferBudgetTest, MemoryIsChargedUntilTheLastPieceIsGone) {
  const auto memory = budget();
  DirtyLayer dirty;
  dirty.write(memory, 0, std::vector<uint8_t>(10000), {}, {});
  EXPECT_EQ(memory->held(), 12288u);
  auto layer = dirty.take();
  EXPECT_EQ(memory->held(), 12288u);
  const auto reader = layer->pieces.within(5, 10);
  layer.reset();
  EXPECT_EQ(memory->held(), 12288u);
}

TEST(BufferBudgetTest, OneWriteBeyondTheLimitGoesThroughWhenNothingIsHeld) {
  const auto memory = std::make_shared<BufferBudget>(1 << 20, std::make_shared<BufferSpares>(1u << 20));
  EXPECT_TRUE(memory->wait_for_room(5 << 20).ok());
}

TEST(BufferBudgetTest, AWriterWaitsForRoomAndIsToldWhenFlushesFail) {
  const auto memory = std::make_shared<BufferBudget>(1 << 20, std::make_shared<BufferSpares>(1u << 20));
  auto segment = std::make_unique<Segment>(memory, kMaxSegmentBytes);
  {
    Thread writer("writer", [&] { EXPECT_TRUE(memory->wait_for_room(1).ok()); });
    segment.reset();
  }
  segment = std::make_unique<Segment>(memory, kMaxSegmentBytes);
  memory->set_stalled({Errc::no_space, "full"});
  EXPECT_EQ(memory->wait_for_room(1).code(), Errc::no_space);
  memory->clear_stalled();
  memory->shut({Errc::io, "dead"});
  EXPECT_EQ(memory->wait_for_room(1).code(), Errc::io);
}

TEST(BufferBudgetTest, ManyWritersAtOnceNeverHoldMoreThanTheLimitAndAllGetThrough) {
  constexpr uint64_t kLimit = 8u << 20;
  const auto memory = std::make_shared<BufferBudget>(kLimit, std::make_shared<BufferSpares>(1u << 20));
  std::atomic<uint64_t> most = 0;
  std::vector<Thread> writers;
  for (uint64_t w = 0; w < 16; ++w) {
    writers.emplace_back("writer", [&, w] {
      Random random(w);
      const std::vector<uint8_t> data(1u << 20, 1);
      DirtyLayer dirty;
      uint64_t offset = 0;
      for (int i = 0; i < 60; ++i) {
        const uint64_t length = random.one_in(2) ? data.size() : random.between(1, 100'000);
        if (dirty.pieces().bytes() > (1u << 20) || random.one_in(3)) dirty.clear();  // a flush
        auto room = memory->wait_for_room(length);
        if (!room.ok()) return ADD_FAILURE() << room.error().what;
        if (random.one_in(4)) offset += 5'000'000;  // no longer one run
        dirty.write(memory, offset, {data.data(), length}, {}, Instant{1});
        offset += length;
        for (uint64_t seen = most, held = memory->held(); held > seen && !most.compare_exchange_weak(seen, held);) {
        }
        if (memory->held() > kLimit / 2) dirty.clear();
      }
    });
  }
  writers.clear();
  EXPECT_LE(most, kLimit);
  EXPECT_GT(most, kLimit / 2);
  EXPECT_EQ(memory->held(), 0u);
}

}  // namespace
}  // namespace cairn
