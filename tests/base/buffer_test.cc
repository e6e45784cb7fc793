#include "common/base/buffer.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"

namespace cairn {
namespace {

TEST(BufferTest, BuffersAreAlignedAndHaveTheSizeThatWasAskedFor) {
  for (const size_t size : {1, 4095, 4096, 4097, 1 << 20}) {
    Buffer buffer(size);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % Buffer::kAlignment, 0u);
    std::memset(buffer.data(), 1, size);
  }
  EXPECT_TRUE(Buffer().empty());
  EXPECT_EQ(Buffer(0).data(), nullptr);
}

TEST(BufferTest, AMovedBufferLeavesAnEmptyOne) {
  Buffer first = Buffer::zeroed(10);
  const uint8_t* const bytes = first.data();
  Buffer second(std::move(first));
  EXPECT_EQ(second.data(), bytes);
  EXPECT_EQ(second.size(), 10u);
  EXPECT_TRUE(first.empty());  // NOLINT: what is left behind is specified
  first = std::move(second);
  EXPECT_EQ(first.data(), bytes);
}

TEST(BufferTest, ASliceKeepsItsBufferAlive) {
  BufferSlice rest;
  {
    const BufferSlice whole = BufferSlice::copy_of(bytes_of("shards and stones"));
    rest = whole.part(11, 6);
  }
  EXPECT_EQ(text_of(rest.span()), "stones");
  EXPECT_EQ(text_of(rest.part(0, 5).span()), "stone");
  EXPECT_TRUE(BufferSlice().span().empty());
  EXPECT_TRUE(BufferSlice::copy_of({}).empty());
}

}  // namespace
}  // namespace cairn
