#include "common/base/bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/random.h"

namespace cairn {
namespace {

std::string sample() {
  return ByteWriter()
      .u8(1)
      .u16(0x0203)
      .u32(0x04050607)
      .u64(0x08090a0b0c0d0e0f)
      .i64(-2)
      .boolean(true)
      .string("cairn")
      .raw("tail")
      .take();
}

// Reads what sample() wrote; true if all of it was there.
bool read_sample(std::string_view bytes) {
  ByteReader in(bytes);
  (void)in.u8(), (void)in.u16(), (void)in.u32(), (void)in.u64(), (void)in.i64(), (void)in.boolean();
  (void)in.string(16);
  (void)in.raw(4);
  return in.done();
}

TEST(BytesTest, WhatWasWrittenIsReadBack) {
  const std::string bytes = sample();
  ByteReader in(bytes);
  EXPECT_EQ(in.u8(), 1);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0x04050607u);
  EXPECT_EQ(in.u64(), 0x08090a0b0c0d0e0fu);
  EXPECT_EQ(in.i64(), -2);
  EXPECT_TRUE(in.boolean());
  EXPECT_EQ(in.string(16), "cairn");
  EXPECT_FALSE(in.done()) << "four bytes are left";
  EXPECT_EQ(text_of(in.rest()), "tail");
  EXPECT_TRUE(in.done());
}

TEST(BytesTest, IntegersAreLittleEndianAndKeysAreBigEndian) {
  EXPECT_EQ(ByteWriter().u32(0x01020304).take(), std::string("\x04\x03\x02\x01"));
  EXPECT_EQ(ByteWriter().u32_be(0x01020304).take(), std::string("\x01\x02\x03\x04"));
  EXPECT_EQ(ByteWriter().u16_be(0x0102).take(), std::string("\x01\x02"));
  EXPECT_LT(ByteWriter().u64_be(255).take(), ByteWriter().u64_be(256).take()) << "keys sort by value";
  const std::string key = ByteWriter().u64_be(0x1122334455667788).u32_be(7).u16_be(9).take();
  ByteReader in(key);
  EXPECT_EQ(in.u64_be(), 0x1122334455667788u);
  EXPECT_EQ(in.u32_be(), 7u);
  EXPECT_EQ(in.u16_be(), 9u);
  EXPECT_TRUE(in.done());
}

TEST(BytesTest, EveryTruncationIsNoticed) {
  const std::string bytes = sample();
  ASSERT_TRUE(read_sample(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_sample(bytes.substr(0, size))) << size;
}

TEST(BytesTest, RandomBytesAreReadWithoutOverrun) {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random.below(40), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    (void)read_sample(bytes);  // under AddressSanitizer: no read outside
  }
}

TEST(BytesTest, AFailedReaderStaysFailedAndGivesZeros) {
  ByteReader in(std::string_view("\x01\x02\x03", 3));
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0) << "the three bytes are not handed out after the failure";
  EXPECT_EQ(in.string(8), "");
  EXPECT_EQ(in.remaining(), 0u);
}

TEST(BytesTest, AStringLongerThanItsBoundIsRefused) {
  const std::string bytes = ByteWriter().string("four").take();
  ByteReader enough(bytes);
  EXPECT_EQ(enough.string(4), "four");
  ByteReader too_small(bytes);
  EXPECT_EQ(too_small.string(3), "");
  EXPECT_FALSE(too_small.ok());
}

TEST(BytesTest, ACountBeyondTheInputIsRefusedBeforeAnyoneAllocates) {
  const std::string bytes = ByteWriter().u32(0xffffffff).u64(1).take();
  ByteReader in(bytes);
  EXPECT_EQ(in.count(8), 0u);
  EXPECT_FALSE(in.ok());
  const std::string two = ByteWriter().u32(2).u64(1).u64(2).take();
  ByteReader good(two);
  EXPECT_EQ(good.count(8), 2u);
}

TEST(BytesTest, ABooleanIsZeroOrOne) {
  ByteReader in(std::string_view("\x02", 1));
  (void)in.boolean();
  EXPECT_FALSE(in.ok());
}

TEST(BytesTest, ALengthCanBePatchedIn) {
  ByteWriter out;
  out.u32(0).raw("abc").patch_u32(0, 3);
  EXPECT_EQ(out.take(), ByteWriter().string("abc").take());
}

}  // namespace
}  // namespace cairn
