// A chunk of which server 1's data shard lies in a real data directory, and all shards lie on servers in memory.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "chunkserver/worker/near_transport.h"
#include "tests/chunkserver/support.h"
#include "tests/stripe/stripe_fixture.h"

namespace cairn::test {

class NearFixture {
 public:
  static constexpr ServerId kOwn{1};  // holds shard 0
  static constexpr uint32_t kCell = 8192;

  NearFixture() : local(real_disk(), directory.path()), near(kOwn, local, memory.shards) {}

  // Stripes of the whole width, one behind the other, as one run from offset 0; shard 0 goes to the disk.
  void write(size_t stripes) {
    std::vector<WrittenStripe> written;
    for (size_t i = 0; i < stripes; ++i) {
      written.push_back(memory.make(4 * kCell));
      if (content) {
        for (size_t at = 0; at < written.back().data.size(); ++at) written.back().data[at] = content(data.size() + at);
      }
      data.insert(data.end(), written.back().data.begin(), written.back().data.end());
    }
    ASSERT_TRUE(memory.write(written, true).ok());
    shape = written[0].placed.shape;
    run = {0, data.size(), memory.chunk.chunk, 0, 0, shape};
    const auto& bytes = memory.shards.bytes(memory.chunk.chunk, 0);
    const auto store = open_store(real_disk(), directory.path());
    for (uint64_t place = 0; place < bytes.size(); place += shape.stride()) {
      const auto record = std::span(bytes).subspan(place, std::min<size_t>(shape.stride(), bytes.size() - place));
      ASSERT_TRUE(store->append(key(), place, Epoch{1}, record, true).ok());
    }
  }
  ShardKey key() const { return {memory.chunk.chunk, 0}; }
  std::string path() const {
    const auto names = shard_files(directory.path());
    return directory.path() + "/shards/" + folder_name(key().folder()) + "/" + names.at(0);
  }
  void flip(uint64_t offset) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  // Reads [from, to) of the run and compares, if it can be read.
  ReadOutcome read(uint64_t from, uint64_t to) {
    std::vector<uint8_t> out(to - from, 0xcc);
    ReadOutcome outcome = read_extent(near, memory.clock, memory.chunk, run.part(from, to), out);
    if (outcome.status.ok()) {
      EXPECT_TRUE(std::equal(out.begin(), out.end(), data.begin() + static_cast<ptrdiff_t>(from))) << from << " " << to;
    }
    return outcome;
  }
  ReadOutcome read_own_cell(size_t stripe) { return read(stripe * 4 * kCell, stripe * 4 * kCell + kCell); }

  std::function<uint8_t(size_t)> content;  // of the run, instead of random bytes
  TemporaryDirectory directory;
  StripeFixture memory{Code{4, 2}, kCell};
  StripeShape shape;
  Extent run;
  std::vector<uint8_t> data;
  LocalShards local;
  NearTransport near;
};

}  // namespace cairn::test
