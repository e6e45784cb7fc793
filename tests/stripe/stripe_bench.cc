// Not a test: what encoding, tagging, verifying and decoding cost, in GB of the caller's data per second on one core,
// with shards in memory. Prints a table. Run the release build: build/release/tests/stripe_bench
#include <fmt/format.h>

#include <cstring>

#include "common/base/buffer.h"
#include "common/base/checksum.h"
#include "tests/stripe/stripe_fixture.h"

namespace cairn {
namespace {

// Takes appends without keeping them, and answers reads from one set of records.
class Sink : public ShardTransport {
 public:
  std::map<uint8_t, std::vector<uint8_t>> kept;  // the last record of each shard, if keep
  bool keep = false;
  uint32_t dead = 0;  // shards below this one

  class Calls : public ShardCalls {
   public:
    explicit Calls(Sink& sink) : sink_(sink) {}
    void append(Tag tag, const AppendCall& call, std::span<const iovec> record, Instant) override {
      uint64_t bytes = 0;
      auto& kept = sink_.kept[call.shard.shard];
      if (sink_.keep) kept.clear();
      for (const iovec& piece : record) {
        bytes += piece.iov_len;
        const auto* data = static_cast<const uint8_t*>(piece.iov_base);
        if (sink_.keep) kept.insert(kept.end(), data, data + piece.iov_len);
      }
      done_.push_back({tag, {}, BootId{1}, call.place + bytes});
    }
    void sync(Tag tag, const SyncCall& call, Instant) override { done_.push_back({tag, {}, BootId{1}, call.end}); }
    void read(Tag tag, const ReadCall& call, std::span<uint8_t> header, std::span<uint8_t> cell, Instant) override {
      const auto& record = sink_.kept[call.shard.shard];
      if (call.shard.shard < sink_.dead) {
        done_.push_back({tag, {Errc::unavailable, "dead"}, {}, 0});
        return;
      }
      std::memcpy(header.data(), record.data(), header.size());
      std::memcpy(cell.data(), record.data() + header.size() + call.cell_offset, cell.size());
      done_.push_back({tag, {}, BootId{1}, 0});
    }
    void cancel(Tag tag) override {
      std::erase_if(done_, [&](const auto& done) { return done.tag == tag; });
    }
    size_t under_way() const override { return done_.size(); }
    std::optional<Completion> wait(Instant) override {
      if (done_.empty()) return {};
      auto done = std::move(done_.front());
      done_.erase(done_.begin());
      return done;
    }

   private:
    Sink& sink_;
    std::vector<Completion> done_;
  };
  std::unique_ptr<ShardCalls> calls() override { return std::make_unique<Calls>(*this); }
  uint32_t reluctance(ServerId) const override { return 0; }
  Duration usual_latency() const override { return Duration::zero(); }
};

template <typename Work>
double gb_per_second(size_t bytes, Work work) {
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const Instant start = real_clock().now();
    size_t times = 0;
    while (real_clock().now() - start < 100ms) work(), ++times;
    const double seconds = static_cast<double>((real_clock().now() - start).count()) / 1e9;
    best = std::max(best, static_cast<double>(times * bytes) / 1e9 / seconds);
  }
  return best;
}

void measure(Code code, uint32_t cell_bytes, Buffer& memory) {
  const size_t stripe_bytes = size_t{code.d} * cell_bytes;
  const size_t stripes = memory.size() / stripe_bytes;
  const auto erasure = ErasureCode::of(code);
  std::vector<Buffer> made;
  for (uint32_t i = 0; i < code.m; ++i) made.emplace_back(cell_bytes);
  std::vector<uint8_t*> parity;
  for (auto& buffer : made) parity.push_back(buffer.data());
  size_t next = 0;
  const double encode = gb_per_second(stripe_bytes, [&] {
    std::vector<const uint8_t*> data;
    for (uint32_t i = 0; i < code.d; ++i)
      data.push_back(memory.data() + (next % stripes) * stripe_bytes + size_t{i} * cell_bytes);
    ++next;
    erasure->encode(data, parity, cell_bytes);
  });

  Sink sink;
  ChunkInfo info = make_chunk(code, cell_bytes);
  info.shard_limit = UINT64_MAX;
  OpenChunk open(info, sink, real_clock(), 10s);
  PlacedStripe placed;
  const auto append = [&](size_t count) {
    std::vector<StripeData> batch;
    for (size_t i = 0; i < count; ++i, ++next) {
      batch.push_back({cell_bytes,
                       0,
                       {{memory.data() + (next % stripes) * stripe_bytes, stripe_bytes}},
                       {{InodeId{1}, 1, 0, 0, static_cast<uint32_t>(stripe_bytes)}}});
    }
    placed = open.append(batch, true).value().back();
  };
  const double written = gb_per_second(8 * stripe_bytes, [&] { append(8); });

  ChunkInfo one = make_chunk(code, cell_bytes);
  one.shard_limit = UINT64_MAX;
  OpenChunk again(one, sink, real_clock(), 10s);
  sink.keep = true;
  const StripeData first{cell_bytes, 0, {{memory.data(), stripe_bytes}}, {}};
  placed = again.append({&first, 1}, false).value().back();
  const Extent extent{0, stripe_bytes, one.chunk, placed.place, 0, placed.shape};
  Buffer out(stripe_bytes);
  const auto read = [&] {
    if (!read_extent(sink, real_clock(), one, extent, out.span(), {}).status.ok()) std::abort();
  };
  const double whole = gb_per_second(stripe_bytes, read);
  sink.dead = code.m;
  const double degraded = gb_per_second(stripe_bytes, read);
  if (std::memcmp(out.data(), memory.data(), stripe_bytes) != 0) std::abort();
  fmt::print(
      "ec({},{}) cells of {:4} KiB: encode {:5.1f}  append (encode + tag + send) {:5.1f}  read + verify {:5.1f}  "
      "read with {} shards dead {:5.1f}   GB/s\n",
      code.d, code.m, cell_bytes >> 10, encode, written, whole, code.m, degraded);
}

void run() {
  Buffer memory(256u << 20);
  Random random(1);
  for (size_t i = 0; i + 8 <= memory.size(); i += 8) {
    const uint64_t word = random();
    std::memcpy(memory.data() + i, &word, 8);
  }
  Buffer copy(memory.size());
  fmt::print("memcpy of {} MiB: {:.1f} GB/s\n", memory.size() >> 20,
             gb_per_second(memory.size(), [&] { std::memcpy(copy.data(), memory.data(), memory.size()); }));
  size_t next = 0;
  uint32_t sum = 0;
  for (const size_t bytes : {4096, 65536}) {
    fmt::print("crc32c of {} bytes from memory: {:.1f} GB/s\n", bytes, gb_per_second(bytes, [&] {
                 sum ^= crc32c({memory.data() + next, bytes});
                 next = (next + bytes) % memory.size();
               }));
  }
  for (const Code code : {Code{4, 2}, Code{6, 3}, Code{8, 3}, Code{10, 4}, Code{1, 2}}) {
    for (const uint32_t cell : {65536u, 262144u, 1048576u}) measure(code, cell, memory);
  }
  fmt::print("({:08x})\n", sum);
}

}  // namespace
}  // namespace cairn

int main() { cairn::run(); }
