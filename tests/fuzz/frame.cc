// The frames and tails of a stream, however it is cut into pieces, against a plain reading of all its bytes.
//
//   input: limits | choices of lengths, tails and cuts | the stream is made of them, with hostile lengths among them
#include "common/rpc/frame.h"

#include <algorithm>
#include <cstring>

#include "common/base/bytes.h"
#include "tests/fuzz/fuzz.h"

namespace cairn::fuzz {
namespace {

// Gives out its bytes in pieces of the sizes that the input chooses, then its end.
class PiecesStream : public Stream {
 public:
  PiecesStream(std::string bytes, Input cuts) : bytes_(std::move(bytes)), cuts_(cuts) {}
  Result<size_t> read_some(std::span<uint8_t> into, Instant) override {
    require(!into.empty(), "a read has room");
    const size_t most = std::min(into.size(), bytes_.size() - at_);
    const size_t n = std::min<size_t>(most, cuts_.empty() ? most : 1 + cuts_.u8() * cuts_.u8());
    std::memcpy(into.data(), bytes_.data() + at_, n);
    at_ += n;
    return n;
  }
  Status write_all(std::span<const iovec>, Instant) override { return {Errc::unavailable, "only read"}; }
  Status send_file(File&, uint64_t, uint64_t, Instant) override { return {Errc::unavailable, "only read"}; }
  void shut_down() override {}
  std::string peer() const override { return "fuzzer"; }

 private:
  const std::string bytes_;
  size_t at_ = 0;
  Input cuts_;
};

// Bytes that tell where they stand.
const std::string& filling() {
  static const std::string bytes = [] {
    std::string made(140'000, '\0');
    for (size_t i = 0; i < made.size(); ++i) made[i] = static_cast<char>(i % 251);
    return made;
  }();
  return bytes;
}

struct Step {
  uint32_t length = 0;  // of the frame, as its header says
  uint32_t tail = 0;
  bool skip = false;  // the tail
};

void one(Bytes bytes) {
  Input input(bytes);
  const FrameReader::Limits limits{.frame_bytes = 1 + input.below(70000), .read_ahead_bytes = 4 + input.below(256)};
  std::vector<Step> steps;
  ByteWriter stream;
  for (uint32_t n = input.below(12); n > 0; --n) {
    Step step{.length = input.rarely() ? input.u32() : input.u16() >> input.below(16),
              .tail = static_cast<uint32_t>(input.u16() >> input.below(16)),
              .skip = input.flip()};
    steps.push_back(step);
    stream.u32_be(step.length);
    stream.raw(std::string_view(filling()).substr(stream.size() % 251, std::min(step.length, 70000u) + step.tail));
  }
  std::string all = stream.take();
  if (input.rarely()) all.resize(all.size() - input.u16() % (all.size() + 1));
  const std::string expected = all;

  PiecesStream pieces(std::move(all), input);
  FrameReader reader(pieces, limits);
  size_t at = 0;
  for (const Step& step : steps) {
    const auto frame = reader.read(Instant::never());
    if (expected.size() - at < kFrameLengthBytes) return require(!frame.ok(), "no frame behind the end");
    if (step.length == 0 || step.length > limits.frame_bytes) {
      require(!frame.ok() && frame.code() == Errc::invalid, "an impossible length is invalid");
      return require(reader.read(Instant::never()).code() == Errc::invalid, "and stays invalid");
    }
    at += kFrameLengthBytes;
    if (expected.size() - at < step.length) return require(!frame.ok(), "no frame that was cut");
    require(frame.ok() && text_of(*frame) == std::string_view(expected).substr(at, step.length), "the frame's bytes");
    at += step.length;
    const bool whole = expected.size() - at >= step.tail;
    if (step.skip) {
      const Status skipped = reader.skip_tail(step.tail, Instant::never());
      if (!whole) return require(!skipped.ok(), "no tail that was cut");
      require(skipped.ok(), "a tail is skipped");
    } else {
      std::string tail(step.tail, '\0');
      const Status got = reader.read_tail({reinterpret_cast<uint8_t*>(tail.data()), tail.size()}, Instant::never());
      if (!whole) return require(!got.ok(), "no tail that was cut");
      require(got.ok() && tail == std::string_view(expected).substr(at, step.tail), "the tail's bytes");
    }
    at += step.tail;
  }
}

std::vector<std::string> seeds() {
  using namespace std::string_literals;
  return {"\x40\x00\x00\x00\x00\x02\x00\x10\x00\x00\x00\x00\x00\x00\x20\x00\x00"s,
          "\x00\x01\x00\x00\x07\x03\x00\xff\xff\x00\xff\xff\x00\x01\x00\x10\x00\x03\x00\x08\x02\x00\x01\x02\x03\x01"s,
          "\xff\x00\xff\x00\x40\x02\xff\xff\xff\xff\xff\x00\x00\x00\x00"s};
}

const Registered registered{{"frame", one, seeds}};

}  // namespace
}  // namespace cairn::fuzz
