#include "common/base/buffer_spares.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(BufferSparesTest, ABufferOfTheSameSizeIsUsedAgain) {
  BufferSpares spares(4 * Buffer::kMappedBytes);
  Buffer first = spares.take(Buffer::kMappedBytes);
  const uint8_t* const memory = first.data();
  first.data()[0] = 7;
  spares.give(std::move(first));
  const Buffer other = spares.take(2 * Buffer::kMappedBytes);
  EXPECT_NE(other.data(), memory);
  const Buffer again = spares.take(Buffer::kMappedBytes);
  EXPECT_EQ(again.data(), memory);
  EXPECT_EQ(again.data()[0], 7);
}

TEST(BufferSparesTest, WhatIsKeptIsBoundedAndTheOldestGoesFirst) {
  BufferSpares spares(2 * Buffer::kMappedBytes);
  std::vector<Buffer> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(spares.take(Buffer::kMappedBytes));
  std::vector<const uint8_t*> memory;
  for (Buffer& buffer : taken) {
    memory.push_back(buffer.data());
    spares.give(std::move(buffer));
  }
  std::vector<Buffer> again;
  again.push_back(spares.take(Buffer::kMappedBytes));
  again.push_back(spares.take(Buffer::kMappedBytes));
  EXPECT_EQ(again[0].data(), memory[2]);
  EXPECT_EQ(again[1].data(), memory[1]);
}

TEST(BufferSparesTest, SmallOnesAreLeftToTheHeap) {
  BufferSpares spares(1 << 20);
  spares.give(spares.take(4096));
  EXPECT_EQ(spares.take(4096).size(), 4096u);
}

}  // namespace
}  // namespace cairn
