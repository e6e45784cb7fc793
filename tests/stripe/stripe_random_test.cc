// Random stripes of all shapes, written, damaged and read back against what was written; each seed is one chunk.
#include <bit>

#include "tests/stripe/stripe_fixture.h"

namespace cairn {
namespace {

constexpr uint64_t kSeeds = 300;

class RandomChunk {
 public:
  explicit RandomChunk(uint64_t seed)
      : choices_(seed),
        f_(code(), static_cast<uint32_t>(choices_.between(1, choices_.one_in(8) ? 20 : 4)) * 4096, seed) {}

  void write() {
    for (uint64_t batch = choices_.between(1, 4); batch > 0; --batch) {
      std::vector<WrittenStripe> stripes;
      for (uint64_t count = choices_.between(1, 6); count > 0; --count) stripes.push_back(make());
      const Status status = f_.write(stripes, choices_.one_in(2));
      ASSERT_TRUE(status.ok()) << status.error().what;
      for (auto& stripe : stripes) written_.push_back(std::move(stripe));
    }
    ASSERT_TRUE(f_.open.sync(f_.open.end()).ok());
    for (uint32_t server = 1; server <= f_.chunk.code.shards(); ++server) {
      if (choices_.one_in(3)) f_.shards.restart(ServerId{server}, true);  // nothing that was synced is lost
    }
  }
  // Up to m shards in all: dead, slow, flipped or gone.
  void damage() {
    std::vector<uint32_t> shards(f_.chunk.code.shards());
    for (uint32_t i = 0; i < shards.size(); ++i) shards[i] = i;
    std::shuffle(shards.begin(), shards.end(), choices_);
    shards.resize(choices_.below(f_.chunk.code.m + 1u));
    for (const uint32_t shard : shards) {
      const ServerId server{shard + 1};
      const bool there = f_.shards.exists(f_.chunk.chunk, static_cast<uint8_t>(shard));
      switch (choices_.below(5)) {
        case 0:
          f_.shards.kill(server);
          break;
        case 1:
          f_.shards.delay(server, choices_.one_in(2) ? 1h : 60ms);
          break;
        case 2:
          f_.shards.set_reluctance(server, 2000);
          break;
        case 3:
          if (there) f_.shards.bytes(f_.chunk.chunk, static_cast<uint8_t>(shard)).resize(4096);
          break;
        default:
          if (!there) break;
          auto& bytes = f_.shards.bytes(f_.chunk.chunk, static_cast<uint8_t>(shard));
          for (int i = 0; i < 20; ++i)
            bytes[choices_.below(bytes.size())] ^= static_cast<uint8_t>(choices_.between(1, 255));
      }
    }
  }
  void read() {
    for (const auto& stripe : written_) {
      for (int i = 0; i < 3; ++i) {
        const size_t from = choices_.below(stripe.data.size());
        const size_t to = i == 0 ? stripe.data.size() : choices_.between(from + 1, stripe.data.size());
        const auto outcome = f_.read(stripe, i == 0 ? 0 : from, to, {.hedge_after = 20ms, .give_up_after = 2s});
        ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().what;
      }
    }
  }

 private:
  Code code() {
    return {static_cast<uint8_t>(choices_.between(1, choices_.one_in(10) ? 32 : 8)),
            static_cast<uint8_t>(choices_.below(5))};
  }
  WrittenStripe make() {
    const uint32_t d = f_.chunk.code.d, cell = f_.chunk.cell_bytes;
    const auto cells = static_cast<uint32_t>(choices_.one_in(2) ? d : choices_.between(1, d));
    const uint32_t first = f_.open.next_first_cell(cells);
    const uint64_t last = choices_.one_in(3) ? cell : choices_.between(1, cell);
    return f_.make((cells - 1) * uint64_t{cell} + last, first, choices_.between(1, 12));
  }

  Random choices_;
  StripeFixture f_;
  std::vector<WrittenStripe> written_;
};

TEST(StripeRandomTest, WhatWasWrittenIsReadBackUnderUpToMFaults) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomChunk chunk(seed);
    chunk.write();
    if (!HasFatalFailure()) chunk.read();
    chunk.damage();
    if (!HasFatalFailure()) chunk.read();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace cairn
