// One chunk on servers in memory, and the bytes that a test wrote to it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/base/random.h"
#include "common/stripe/open_chunk.h"
#include "common/stripe/stripe_reader.h"
#include "tests/stripe/memory_shards.h"

namespace cairn {

inline ChunkInfo make_chunk(Code code, uint32_t cell_bytes, uint64_t id = 42) {
  ChunkInfo info;
  info.chunk = ChunkId{id};
  info.code = code;
  for (uint32_t shard = 0; shard < code.shards(); ++shard) info.servers.push_back(ServerId{shard + 1});
  info.writer_epoch = Epoch{5};
  info.incarnation = Incarnation{0xabcdef};
  info.cell_bytes = cell_bytes;
  info.shard_limit = 64u << 20;
  return info;
}

inline std::vector<uint8_t> random_bytes(Random& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(random() >> 24);
  return bytes;
}

// A stripe, and what it should read as.
struct WrittenStripe {
  std::vector<uint8_t> data;
  StripeData stripe;  // points to data
  PlacedStripe placed;

  // A range of the data as an extent of a file that begins at 0.
  Extent extent(ChunkId chunk, uint64_t from, uint64_t to) const {
    const uint64_t first = uint64_t{stripe.first_cell} * stripe.cell_bytes;
    return {from, to - from, chunk, placed.place, first + from, placed.shape};
  }
  Extent extent(ChunkId chunk) const { return extent(chunk, 0, data.size()); }
};

class StripeFixture {
 public:
  explicit StripeFixture(Code code, uint32_t cell_bytes = 8192, uint64_t seed = 1)
      : random(seed), shards(clock), chunk(make_chunk(code, cell_bytes)), open(chunk, shards, clock, 10s) {}

  // bytes of data from first_cell on, in `pieces` buffers of random sizes.
  WrittenStripe make(size_t bytes, uint32_t first_cell = 0, size_t pieces = 1) {
    WrittenStripe result;
    result.data = random_bytes(random, bytes);
    result.stripe.cell_bytes = chunk.cell_bytes;
    result.stripe.first_cell = first_cell;
    size_t at = 0;
    while (at < bytes) {
      const size_t length =
          pieces <= 1 ? bytes - at : std::min<size_t>(bytes - at, random.below(2 * bytes / pieces + 1));
      result.stripe.pieces.push_back({result.data.data() + at, length});
      at += length;
    }
    result.stripe.owners = {{InodeId{9}, 1, 0, first_cell * chunk.cell_bytes, static_cast<uint32_t>(bytes)}};
    return result;
  }
  Status write(std::vector<WrittenStripe>& stripes, bool sync = false) {
    std::vector<StripeData> data;
    for (const auto& stripe : stripes) data.push_back(stripe.stripe);
    ASSIGN(const auto placed, open.append(data, sync));
    for (size_t i = 0; i < stripes.size(); ++i) stripes[i].placed = placed[i];
    return {};
  }
  WrittenStripe written(size_t bytes, uint32_t first_cell = 0, size_t pieces = 1) {
    std::vector<WrittenStripe> one;
    one.push_back(make(bytes, first_cell, pieces));
    const Status status = write(one);
    EXPECT_TRUE(status.ok()) << status.error().what;
    return std::move(one[0]);
  }
  // Reads [from, to) of the stripe's data and compares, if it can be read.
  ReadOutcome read(const WrittenStripe& stripe, size_t from, size_t to, const ReadOptions& options = {}) {
    std::vector<uint8_t> out(to - from, 0xcc);
    auto outcome = read_extent(shards, clock, chunk, stripe.extent(chunk.chunk, from, to), out, options);
    if (outcome.status.ok()) {
      EXPECT_TRUE(std::equal(out.begin(), out.end(), stripe.data.begin() + static_cast<ptrdiff_t>(from)))
          << from << " " << to;
    }
    return outcome;
  }
  ReadOutcome read(const WrittenStripe& stripe, const ReadOptions& options = {}) {
    return read(stripe, 0, stripe.data.size(), options);
  }

  Random random;
  ManualClock clock;
  MemoryShards shards;
  ChunkInfo chunk;
  OpenChunk open;
};

}  // namespace cairn
