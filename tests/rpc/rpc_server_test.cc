#include "common/rpc/rpc_server.h"

#include <gtest/gtest.h>
#include <thrift/TApplicationException.h>
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TSocket.h>

#include "common/base/random.h"
#include "common/rpc/rpc_connection.h"
#include "tests/rpc/fake_servers.h"

namespace cairn::test {
namespace {

using ChunkStub = thrift::ChunkserverClient;
using MetaStub = thrift::MetaserverClient;
using ChunkConnection = RpcConnection<ChunkStub>;
using MetaConnection = RpcConnection<MetaStub>;

template <typename Connection>
std::unique_ptr<Connection> connect(const Address& to) {
  auto stream = real_network().connect(to, in(kLong));
  EXPECT_TRUE(stream.ok()) << stream.error().what;
  return std::make_unique<Connection>(std::move(stream).value(), 4096);
}

thrift::LookupRequest lookup_of(const std::string& name) {
  thrift::LookupRequest request;
  request.parent = 1;
  request.name = name;
  return request;
}

bool lookup_works(MetaConnection& connection) {
  thrift::EntryReply reply;
  const Status status =
      connection.call(&MetaStub::send_lookup, &MetaStub::recv_lookup, lookup_of("name"), reply, in(kLong));
  return status.ok() && reply.entry.name == "name";
}

Status append(ChunkConnection& connection, uint64_t place, std::span<const uint8_t> record,
              thrift::AppendReply& reply) {
  AppendCall call;
  call.shard.chunk = ChunkId{1};
  call.place = place;
  const auto frame = connection.encode(&ChunkStub::send_append, to_wire(call, static_cast<uint32_t>(record.size())));
  const iovec pieces[] = {piece(frame), piece(record)};
  TRY(connection.stream().write_all(pieces, in(kLong)));
  ASSIGN(const auto answer, connection.reader().read(in(kLong)));
  return connection.decode(answer, &ChunkStub::recv_append, reply);
}

TEST(RpcServerTest, AnyThriftClientCanCallMethodsWithoutTail) {
  FakeMetaserver server;
  ASSERT_TRUE(server.start().ok());
  using namespace apache::thrift;
  auto socket = std::make_shared<transport::TSocket>("127.0.0.1", server.address().port);
  auto framed = std::make_shared<transport::TFramedTransport>(socket);
  MetaStub client(std::make_shared<protocol::TBinaryProtocol>(framed));
  framed->open();
  thrift::EntryReply reply;
  client.lookup(reply, lookup_of("hello"));
  EXPECT_EQ(reply.entry.name, "hello");
  reply = {};
  client.lookup(reply, lookup_of("absent"));
  EXPECT_EQ(reply.error.code, static_cast<int16_t>(Errc::not_found));
}

TEST(RpcServerTest, TailsTravelBothWaysWhole) {
  FakeChunkserver server;
  ASSERT_TRUE(server.start().ok());
  const auto connection = connect<ChunkConnection>(server.address());
  uint64_t place = 0;
  for (const bool from_file : {false, true}) {
    server.from_file = from_file;
    for (const size_t size : {4096u, 8192u, 65536u, 266240u, 1u << 20}) {
      auto record = random_bytes(size, size);
      std::fill(record.end() - 2048, record.end(), 0);  // with from_file the file ends before these
      thrift::AppendReply appended;
      ASSERT_TRUE(append(*connection, place, record, appended).ok());
      EXPECT_EQ(appended.shard_end, static_cast<int64_t>(place + size));

      ReadCall call;
      call.shard.chunk = ChunkId{1};
      call.place = place;
      call.header_bytes = 4096;
      call.cell_bytes = static_cast<uint32_t>(size - 4096);
      thrift::ReadReply reply;
      ASSERT_TRUE(connection->call(&ChunkStub::send_read, &ChunkStub::recv_read, to_wire(call), reply, in(kLong)).ok());
      ASSERT_EQ(reply.tail_bytes, static_cast<int32_t>(size));
      std::vector<uint8_t> into(size);
      ASSERT_TRUE(connection->reader().read_tail(into, in(kLong)).ok());
      EXPECT_EQ(into, record);
      place += size;
    }
  }
}

TEST(RpcServerTest, OneConnectionCarriesMoreThanThriftsHundredMegabytes) {
  FakeChunkserver server;
  ASSERT_TRUE(server.start().ok());
  const auto connection = connect<ChunkConnection>(server.address());
  const auto record = random_bytes(256 << 10, 1);
  for (int i = 0; i < 1200; ++i) {  // 300 MiB in tails
    thrift::AppendReply reply;
    ASSERT_TRUE(append(*connection, 0, record, reply).ok()) << i;
  }
  FakeMetaserver names;
  ASSERT_TRUE(names.start().ok());
  const auto other = connect<MetaConnection>(names.address());
  const auto request = lookup_of(std::string(1 << 20, 'n'));
  for (int i = 0; i < 300; ++i) {  // and 300 MiB in frames, each way
    thrift::EntryReply reply;
    ASSERT_TRUE(other->call(&MetaStub::send_lookup, &MetaStub::recv_lookup, request, reply, in(kLong)).ok()) << i;
  }
}

TEST(RpcServerTest, ARefusedRequestWithATailLeavesTheConnectionUsable) {
  FakeChunkserver server;
  ASSERT_TRUE(server.start().ok());
  const auto connection = connect<ChunkConnection>(server.address());
  const auto record = random_bytes(1 << 20, 1);
  thrift::AppendReply reply;
  server.refuse = true;
  ASSERT_TRUE(append(*connection, 0, record, reply).ok());
  EXPECT_EQ(reply.error.code, static_cast<int16_t>(Errc::no_space));
  server.refuse = false;
  reply = {};
  ASSERT_TRUE(append(*connection, 0, record, reply).ok());
  EXPECT_FALSE(reply.__isset.error);
  EXPECT_EQ(server.record(1, 0, 0), record);
}

TEST(RpcServerTest, AnUnknownMethodIsAnsweredAndItsConnectionClosed) {
  FakeMetaserver server;
  ASSERT_TRUE(server.start().ok());
  const auto good = connect<MetaConnection>(server.address());
  const auto connection = connect<ChunkConnection>(server.address());  // asks a metaserver for shards
  thrift::ListShardsReply reply;
  const Status status = connection->call(&ChunkStub::send_list_shards, &ChunkStub::recv_list_shards,
                                         to_wire(ListShards{{}, {}, 1, {}}), reply, in(kLong));
  EXPECT_EQ(status.code(), Errc::not_supported);
  EXPECT_EQ(connection->reader().read(in(kLong)).code(), Errc::unavailable);
  EXPECT_TRUE(lookup_works(*good));
}

TEST(RpcServerTest, AnExceptionOfAHandlerReachesTheCallerAndClosesTheConnection) {
  FakeChunkserver server;
  ASSERT_TRUE(server.start().ok());
  const auto connection = connect<ChunkConnection>(server.address());
  const auto frame = connection->encode(&ChunkStub::send_append, to_wire(AppendCall{}, 5));  // no tail has 5 bytes
  const iovec out = piece(frame);
  ASSERT_TRUE(connection->stream().write_all({&out, 1}, in(kLong)).ok());
  const auto answer = connection->reader().read(in(kLong));
  ASSERT_TRUE(answer.ok());
  thrift::AppendReply reply;
  const Status status = connection->decode(*answer, &ChunkStub::recv_append, reply);
  EXPECT_EQ(status.code(), Errc::io);
  EXPECT_NE(status.error().what.find("senseless"), std::string::npos);
  EXPECT_EQ(connection->reader().read(in(kLong)).code(), Errc::unavailable);
}

TEST(RpcServerTest, AnOversizedFrameClosesItsConnectionAlone) {
  FakeMetaserver server({.frame_bytes = 10'000});
  ASSERT_TRUE(server.start().ok());
  const auto good = connect<MetaConnection>(server.address());
  const auto bad = connect<MetaConnection>(server.address());
  thrift::EntryReply reply;
  const Status status =
      bad->call(&MetaStub::send_lookup, &MetaStub::recv_lookup, lookup_of(std::string(20'000, 'x')), reply, in(kLong));
  EXPECT_EQ(status.code(), Errc::unavailable);
  EXPECT_TRUE(lookup_works(*good));
}

TEST(RpcServerTest, HostileBytesNeverDisturbAnotherConnection) {
  FakeMetaserver server({.io_timeout = 50ms});
  ASSERT_TRUE(server.start().ok());
  const auto good = connect<MetaConnection>(server.address());
  const auto request =
      to_wire(MakeNode{kRootInode, "quick", 0100644, 0, 0, 0, ""}, Mutation{SessionId{1}, RequestId{1}, RequestId{1}});
  const auto encoder = connect<MetaConnection>(server.address());
  const auto encoded = encoder->encode(&MetaStub::send_make_node, request);
  const std::vector<uint8_t> frame(encoded.begin(), encoded.end());
  Random random(42);
  for (int round = 0; round < 400; ++round) {
    auto stream = real_network().connect(server.address(), in(kLong));
    ASSERT_TRUE(stream.ok());
    std::vector<uint8_t> bytes;
    for (uint64_t n = 1 + random.below(3); n > 0; --n) {
      auto one = frame;
      for (uint64_t flips = random.below(6); flips > 0; --flips) {
        one[random.below(one.size())] ^= static_cast<uint8_t>(1 + random.below(255));
      }
      if (random.one_in(3)) one.resize(random.below(one.size()));
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    if (random.one_in(5)) bytes = random_bytes(1 + random.below(9000), random());
    const iovec out = piece(bytes);
    (void)(*stream)->write_all({&out, 1}, in(kLong));  // the server may have closed already
    if (round % 20 == 0) {
      ASSERT_TRUE(lookup_works(*good)) << round;
    }
    if (random.one_in(20)) {  // wait for the end that the server makes of it
      std::vector<uint8_t> answer(65536);
      for (;;) {
        const auto n = (*stream)->read_some(answer, in(200ms));
        if (!n.ok() || *n == 0) break;
      }
    }
  }
  EXPECT_TRUE(lookup_works(*good));
}

TEST(RpcServerTest, FiveHundredConnectionsAreServed) {
  FakeMetaserver server;
  ASSERT_TRUE(server.start().ok());
  std::vector<std::unique_ptr<MetaConnection>> connections;
  for (int i = 0; i < 500; ++i) connections.push_back(connect<MetaConnection>(server.address()));
  for (int round = 0; round < 3; ++round) {
    for (const auto& connection : connections) ASSERT_TRUE(lookup_works(*connection));
  }
  EXPECT_EQ(server.server().connections(), 500u);
  connections.resize(10);
  for (const auto& connection : connections) EXPECT_TRUE(lookup_works(*connection));
}

TEST(RpcServerTest, OneConnectionTooManyIsClosedAndTheOthersGoOn) {
  FakeMetaserver server({.connections = 3});
  ASSERT_TRUE(server.start().ok());
  std::vector<std::unique_ptr<MetaConnection>> connections;
  for (int i = 0; i < 3; ++i) {
    connections.push_back(connect<MetaConnection>(server.address()));
    ASSERT_TRUE(lookup_works(*connections.back()));
  }
  const auto extra = connect<MetaConnection>(server.address());
  EXPECT_FALSE(lookup_works(*extra));
  for (const auto& connection : connections) EXPECT_TRUE(lookup_works(*connection));
}

TEST(RpcServerTest, StopWaitsForTheCallThatIsBeingHandled) {
  FakeMetaserver server;
  ASSERT_TRUE(server.start().ok());
  const auto idle = connect<MetaConnection>(server.address());
  const auto busy = connect<MetaConnection>(server.address());
  ASSERT_TRUE(lookup_works(*idle));
  server.gate.close();
  const auto request =
      to_wire(MakeNode{kRootInode, "slow", 0100644, 0, 0, 0, ""}, Mutation{SessionId{1}, RequestId{1}, RequestId{1}});
  ASSERT_TRUE(busy->send(&MetaStub::send_make_node, request, in(kLong)).ok());
  server.gate.await_waiting(1);
  Thread stopper("stopper", [&] { server.server().stop(); });
  EXPECT_EQ(idle->reader().read(in(kLong)).code(), Errc::unavailable);  // idle connections end at once
  server.gate.open();
  const auto answer = busy->reader().read(in(kLong));
  ASSERT_TRUE(answer.ok()) << answer.error().what;
  thrift::EntryReply reply;
  ASSERT_TRUE(busy->decode(*answer, &MetaStub::recv_make_node, reply).ok());
  EXPECT_EQ(reply.entry.name, "slow");
  stopper.join();
  EXPECT_FALSE(real_network().connect(server.address(), in(1s)).ok());
}

TEST(RpcServerTest, StopCutsAClientThatNeverFinishesItsMessage) {
  FakeChunkserver server(1, {.stop_grace = 20ms});
  ASSERT_TRUE(server.start().ok());
  const auto connection = connect<ChunkConnection>(server.address());
  const auto frame =
      connection->encode(&ChunkStub::send_append, to_wire(AppendCall{.shard = {.chunk = ChunkId{1}}}, 8192));
  const iovec out = piece(frame);
  ASSERT_TRUE(connection->stream().write_all({&out, 1}, in(kLong)).ok());  // and its tail never comes
  while (server.appends == 0) std::this_thread::yield();
  server.stop();
  EXPECT_EQ(server.server().connections(), 0u);
}

}  // namespace
}  // namespace cairn::test
