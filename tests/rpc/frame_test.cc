#include "common/rpc/frame.h"

#include <gtest/gtest.h>

#include <deque>

#include "common/base/random.h"
#include "tests/rpc/fake_servers.h"

namespace cairn::test {
namespace {

// Gives bytes in pieces of the sizes that the test says, and notes where and how much was asked for.
class ScriptedStream : public Stream {
 public:
  explicit ScriptedStream(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  Status write_all(std::span<const iovec>, Instant) override { return {}; }
  Status send_file(File&, uint64_t, uint64_t, Instant) override { return {}; }
  Result<size_t> read_some(std::span<uint8_t> into, Instant) override {
    ++reads;
    largest_ask = std::max(largest_ask, into.size());
    size_t n = std::min(into.size(), bytes_.size() - at_);
    if (!pieces.empty()) {
      n = std::min(n, pieces.front());
      pieces.pop_front();
    }
    std::copy_n(bytes_.begin() + static_cast<ptrdiff_t>(at_), n, into.begin());
    at_ += n;
    last_into = into.data();
    return n;
  }
  void shut_down() override {}
  std::string peer() const override { return "script"; }

  std::deque<size_t> pieces;
  int reads = 0;
  size_t largest_ask = 0;
  const uint8_t* last_into = nullptr;

 private:
  std::vector<uint8_t> bytes_;
  size_t at_ = 0;
};

void put_frame(std::vector<uint8_t>& out, std::span<const uint8_t> frame) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(frame.size() >> shift));
  out.insert(out.end(), frame.begin(), frame.end());
}

std::vector<uint8_t> copy(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

TEST(FrameTest, SeveralSmallFramesComeWithOneRead) {
  std::vector<uint8_t> bytes;
  const auto first = random_bytes(100, 1);
  const auto second = random_bytes(200, 2);
  put_frame(bytes, first);
  put_frame(bytes, second);
  ScriptedStream stream(bytes);
  FrameReader reader(stream, {});
  EXPECT_EQ(copy(reader.read(Instant::never()).value()), first);
  EXPECT_EQ(copy(reader.read(Instant::never()).value()), second);
  EXPECT_EQ(stream.reads, 1);
  EXPECT_EQ(reader.read(Instant::never()).code(), Errc::unavailable);
}

TEST(FrameTest, ATailIsReadStraightToItsPlaceButForWhatWasReadAhead) {
  std::vector<uint8_t> bytes;
  const auto frame = random_bytes(60, 1);
  const auto tail = random_bytes(262144, 2);
  put_frame(bytes, frame);
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  put_frame(bytes, frame);
  ScriptedStream stream(bytes);
  FrameReader reader(stream, {.read_ahead_bytes = 64 + 4096});
  EXPECT_EQ(copy(reader.read(Instant::never()).value()), frame);
  std::vector<uint8_t> into(tail.size());
  ASSERT_TRUE(reader.read_tail(into, Instant::never()).ok());
  EXPECT_EQ(into, tail);
  EXPECT_EQ(stream.last_into, into.data() + 4096);
  EXPECT_EQ(stream.reads, 2);
  EXPECT_EQ(copy(reader.read(Instant::never()).value()), frame);
}

TEST(FrameTest, AnyCutOfTheBytesGivesTheSameFramesAndTails) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    std::vector<uint8_t> bytes;
    std::vector<std::pair<std::vector<uint8_t>, std::vector<uint8_t>>> messages;
    for (uint64_t i = 0, n = 1 + random.below(8); i < n; ++i) {
      const auto frame = random_bytes(1 + random.below(random.one_in(3) ? 200'000 : 300), random());
      const auto tail = random_bytes(random.one_in(2) ? 0 : random.below(20'000), random());
      put_frame(bytes, frame);
      bytes.insert(bytes.end(), tail.begin(), tail.end());
      messages.emplace_back(frame, tail);
    }
    ScriptedStream stream(bytes);
    for (int i = 0; i < 3000; ++i) stream.pieces.push_back(1 + random.below(random.one_in(4) ? 30'000 : 500));
    FrameReader reader(stream,
                       {.frame_bytes = 200'000, .read_ahead_bytes = static_cast<uint32_t>(16 + random.below(5000))});
    for (const auto& [frame, tail] : messages) {
      const auto found = reader.read(Instant::never());
      ASSERT_TRUE(found.ok()) << "seed " << seed << ": " << found.error().what;
      ASSERT_EQ(copy(*found), frame) << "seed " << seed;
      if (random.one_in(3)) {
        ASSERT_TRUE(reader.skip_tail(tail.size(), Instant::never()).ok());
        continue;
      }
      std::vector<uint8_t> into(tail.size());
      ASSERT_TRUE(reader.read_tail(into, Instant::never()).ok());
      ASSERT_EQ(into, tail) << "seed " << seed;
    }
    EXPECT_TRUE(reader.empty());
  }
}

TEST(FrameTest, ALengthBeyondTheLimitOrOfZeroIsRefused) {
  for (const uint32_t length : {0u, 1001u, 0x7fffffffu, 0xffffffffu}) {
    std::vector<uint8_t> bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(length >> shift));
    ScriptedStream stream(bytes);
    FrameReader reader(stream, {.frame_bytes = 1000});
    EXPECT_EQ(reader.read(Instant::never()).code(), Errc::invalid) << length;
  }
}

TEST(FrameTest, AFalsePromiseOfALongFrameTakesNoMemory) {
  std::vector<uint8_t> bytes = {0x00, 0xff, 0xff, 0xff};  // nearly 16 MiB, of which 100 bytes come
  bytes.resize(104);
  ScriptedStream stream(bytes);
  FrameReader reader(stream, {});
  EXPECT_EQ(reader.read(Instant::never()).code(), Errc::unavailable);
  EXPECT_LE(stream.largest_ask, 64u << 10);
}

}  // namespace
}  // namespace cairn::test
