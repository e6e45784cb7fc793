#include "common/rpc/message.h"

#include <gtest/gtest.h>
#include <thrift/transport/TTransportException.h>

#include "common/base/random.h"
#include "common/rpc/wire.h"
#include "tests/rpc/fake_servers.h"

namespace cairn::test {
namespace {

struct Codec {
  std::shared_ptr<MessageTransport> transport = std::make_shared<MessageTransport>();
  MessageProtocol protocol{transport};

  template <typename Generated>
  std::vector<uint8_t> encode(const Generated& value) {
    transport->start();
    value.write(&protocol);
    const auto frame = transport->frame().subspan(kFrameLengthBytes);
    return {frame.begin(), frame.end()};
  }
  template <typename Generated>
  Generated decode(std::span<const uint8_t> bytes) {
    Generated value;
    transport->read_from(bytes);
    value.read(&protocol);
    return value;
  }
};

TEST(MessageTest, WhatIsWrittenIsRead) {
  Codec codec;
  thrift::LookupRequest request;
  request.session = -3;
  request.parent = 1;
  request.name = std::string(100'000, 'x');
  EXPECT_EQ(codec.decode<thrift::LookupRequest>(codec.encode(request)), request);
  EXPECT_EQ(codec.transport->unread(), 0u);
}

TEST(MessageTest, EveryStructInAListIsLongerThanTheBoundSaysAndSoIsAllowed) {
  // Default values and absent optionals: the shortest that our own writer makes. 16 is kMinStructBytes.
  Codec codec;
  EXPECT_GE(codec.encode(thrift::Extent()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::Chunk()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::Server()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::StorageClass()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::Attributes()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::Entry()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::Lease()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::Event()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::FileCommit()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::ChunkCommit()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::SessionStatus()).size(), 16u);
  EXPECT_GE(codec.encode(thrift::ShardInfo()).size(), 16u);
  thrift::EventsReply reply;
  reply.__set_events(std::vector<thrift::Event>(1000));
  EXPECT_EQ(codec.decode<thrift::EventsReply>(codec.encode(reply)).events.size(), 1000u);
}

// Field 2, a list, of the given element type and count, and nothing behind it.
std::vector<uint8_t> list_of(uint8_t type, uint32_t count) {
  std::vector<uint8_t> bytes = {15, 0, 2, type};
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(count >> shift));
  return bytes;
}

TEST(MessageTest, AListThatPromisesMoreThanIsThereIsRefusedBeforeMemoryIsTaken) {
  for (const uint8_t type : {2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15}) {  // every type that Thrift knows
    for (const uint32_t count : {1000u, 0x40000000u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      Codec codec;
      EXPECT_ANY_THROW(codec.decode<thrift::CommitRequest>(list_of(type, count))) << int{type} << " " << count;
    }
  }
}

TEST(MessageTest, AStringThatPromisesMoreThanIsThereIsRefusedBeforeMemoryIsTaken) {
  Codec codec;
  EXPECT_ANY_THROW(codec.decode<thrift::LookupRequest>(std::vector<uint8_t>{11, 0, 3, 0x7f, 0xff, 0xff, 0xff, 'a'}));
  EXPECT_ANY_THROW(codec.decode<thrift::LookupRequest>(std::vector<uint8_t>{11, 0, 3, 0xff, 0xff, 0xff, 0xff, 'a'}));
}

TEST(MessageTest, NestingIsBounded) {
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 100'000; ++i)
    bytes.insert(bytes.end(), {12, 0, 99});  // an unknown struct in an unknown struct in ...
  Codec codec;
  EXPECT_ANY_THROW(codec.decode<thrift::LookupRequest>(bytes));
}

TEST(MessageTest, ManyMessagesDoNotUseUpABudget) {
  Codec codec;
  thrift::XattrReply reply;
  reply.__set_value(std::string(1 << 20, 'v'));
  const auto bytes = codec.encode(reply);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(codec.decode<thrift::XattrReply>(bytes).value.size(), 1u << 20);
}

TEST(MessageTest, FlippedAndTruncatedBytesAreAnErrorOrAnotherValue) {
  Codec codec;
  thrift::CommitRequest request;
  request.mutation.session = 4;
  request.files.resize(3);
  request.files[1].extents.resize(5);
  request.files[2].__set_inline_data("abc");
  request.chunks.resize(2);
  const auto good = codec.encode(request);
  Random random(1);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = good;
    bytes.resize(1 + random.below(good.size()));
    for (uint64_t n = random.below(4); n > 0; --n)
      bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(1 + random.below(255));
    try {
      const auto decoded = codec.decode<thrift::CommitRequest>(bytes);
      (void)from_wire(decoded);
    } catch (const apache::thrift::TException&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace cairn::test
