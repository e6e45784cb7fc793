#include "common/rpc/chunk_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/rpc/message.h"
#include "tests/rpc/fake_servers.h"

namespace cairn::test {
namespace {

using ::testing::ElementsAre;

constexpr uint32_t kHeader = 4096;
constexpr uint32_t kCell = 262144;

struct ChunkClientTest : ::testing::Test {
  FakeChunkserver& add(uint32_t id, uint64_t boot = 1, uint16_t port = 0) {
    auto& server = servers[id];
    server = std::make_unique<FakeChunkserver>(boot);
    EXPECT_TRUE(server->start(port).ok());
    addresses[id] = server->address();
    return *server;
  }
  FakeChunkserver& restart(uint32_t id, uint64_t boot, bool same_port = true) {
    const uint16_t port = servers[id]->address().port;
    servers[id]->stop();
    return add(id, boot, same_port ? port : 0);
  }
  static ShardRef shard(uint32_t server) { return {ServerId{server}, Incarnation{7}, ChunkId{1}, 0}; }
  Status append_one(ShardCalls& calls, uint32_t server, uint64_t place, std::span<const uint8_t> record) {
    const iovec one = piece(record);
    calls.append(77, {shard(server), place, Epoch{1}, false}, {&one, 1}, in(kLong));
    const auto done = calls.wait(in(kLong));
    return done ? done->status : Status(Errc::io, "no completion");
  }

  std::map<uint32_t, std::unique_ptr<FakeChunkserver>> servers;
  std::map<uint32_t, Address> addresses;      // what the map says now
  std::map<uint32_t, Address> old_addresses;  // what it says until it is fetched again
  int refreshes = 0;
  CountingNetwork network;
  ChunkClient client{network, real_clock(), [this](ServerId server, bool refresh) -> Result<Address> {
                       if (refresh) {
                         ++refreshes;
                         old_addresses.clear();
                       }
                       if (const auto at = old_addresses.find(raw(server)); at != old_addresses.end())
                         return at->second;
                       const auto at = addresses.find(raw(server));
                       if (at == addresses.end()) return Error{Errc::not_found, "no such server"};
                       return at->second;
                     }};
};

TEST_F(ChunkClientTest, RecordsGoOutAndComeBackWhole) {
  auto& server = add(1);
  const auto calls = client.calls();
  EXPECT_EQ(calls->wait(in(kLong)), std::nullopt);  // nothing is under way
  const auto header = random_bytes(kHeader, 1);
  const auto cell = random_bytes(kCell, 2);
  const iovec record[] = {piece(header), piece(std::span(cell).first(1000)), piece(std::span(cell).subspan(1000))};
  calls->append(5, {shard(1), 8192, Epoch{1}, true}, record, in(kLong));
  EXPECT_EQ(calls->under_way(), 1u);
  auto done = calls->wait(in(kLong));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->tag, 5u);
  ASSERT_TRUE(done->status.ok()) << done->status.error().what;
  EXPECT_EQ(done->boot, BootId{1});
  EXPECT_EQ(done->end, 8192u + kHeader + kCell);

  calls->sync(6, {shard(1), BootId{1}, done->end}, in(kLong));
  done = calls->wait(in(kLong));
  ASSERT_TRUE(done && done->status.ok());

  for (const bool from_file : {false, true}) {
    server.from_file = from_file;
    std::vector<uint8_t> header_into(kHeader);
    std::vector<uint8_t> cell_into(kCell);
    calls->read(7, {shard(1), 8192, kHeader, 0, kCell}, header_into, cell_into, in(kLong));
    done = calls->wait(in(kLong));
    ASSERT_TRUE(done && done->status.ok());
    EXPECT_EQ(header_into, header);
    EXPECT_EQ(cell_into, cell);
    std::vector<uint8_t> part(8192);
    calls->read(8, {shard(1), 8192, 0, kHeader + 12288, 8192}, {}, part, in(kLong));
    done = calls->wait(in(kLong));
    ASSERT_TRUE(done && done->status.ok());
    EXPECT_TRUE(std::equal(part.begin(), part.end(), cell.begin() + 12288));
  }
  EXPECT_EQ(calls->under_way(), 0u);
}

TEST_F(ChunkClientTest, CallsToOneServerAreAnsweredInOrder) {
  add(1);
  const auto calls = client.calls();
  const auto record = random_bytes(8192, 1);
  const iovec one = piece(record);
  for (uint32_t i = 0; i < 50; ++i) calls->append(i, {shard(1), i * 8192ull, Epoch{1}, false}, {&one, 1}, in(kLong));
  calls->sync(50, {shard(1), BootId{1}, 50 * 8192}, in(kLong));
  std::vector<std::vector<uint8_t>> into(50, std::vector<uint8_t>(8192));
  for (uint32_t i = 0; i < 50; ++i) {
    calls->read(51 + i, {shard(1), i * 8192ull, 4096, 0, 4096}, std::span(into[i]).first(4096),
                std::span(into[i]).subspan(4096), in(kLong));
  }
  for (uint32_t i = 0; i < 101; ++i) {
    const auto done = calls->wait(in(kLong));
    ASSERT_TRUE(done.has_value());
    EXPECT_EQ(done->tag, i);
    EXPECT_TRUE(done->status.ok());
  }
  for (const auto& bytes : into) EXPECT_EQ(bytes, record);
  EXPECT_EQ(network.connects(), 1);
}

TEST_F(ChunkClientTest, TheFirstThatAnswersIsGivenFirst) {
  add(1).gate.close();
  add(2);
  const auto calls = client.calls();
  calls->sync(1, {shard(1), BootId{1}, 0}, in(kLong));
  calls->sync(2, {shard(2), BootId{1}, 0}, in(kLong));
  EXPECT_EQ(calls->wait(in(kLong))->tag, 2u);
  EXPECT_EQ(calls->wait(in(20ms)), std::nullopt);  // the time passed, the call goes on
  EXPECT_EQ(calls->under_way(), 1u);
  servers[1]->gate.open();
  const auto done = calls->wait(in(kLong));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->tag, 1u);
  EXPECT_TRUE(done->status.ok());
}

TEST_F(ChunkClientTest, MixedReadsAndLargeAppendsOnOneServerDoNotBlockEachOther) {
  add(1);
  const auto calls = client.calls();
  const auto record = random_bytes(1 << 20, 1);
  ASSERT_TRUE(append_one(*calls, 1, 0, record).ok());
  std::vector<std::vector<uint8_t>> into(40, std::vector<uint8_t>(1 << 20));
  const iovec one = piece(record);
  for (uint32_t i = 0; i < 40; ++i) {
    calls->read(i, {shard(1), 0, 4096, 0, (1 << 20) - 4096}, std::span(into[i]).first(4096),
                std::span(into[i]).subspan(4096), in(kLong));
    if (i % 10 == 9) calls->append(100 + i, {shard(1), (i + 1ull) << 20, Epoch{1}, false}, {&one, 1}, in(kLong));
  }
  for (int i = 0; i < 44; ++i) {
    const auto done = calls->wait(in(kLong));
    ASSERT_TRUE(done && done->status.ok());
  }
  for (const auto& bytes : into) EXPECT_EQ(bytes, record);
}

TEST_F(ChunkClientTest, AnErrorOfTheServerCompletesItsCallAlone) {
  auto& server = add(1);
  const auto calls = client.calls();
  const auto record = random_bytes(8192, 1);
  server.refuse = true;
  EXPECT_EQ(append_one(*calls, 1, 0, record).code(), Errc::no_space);
  server.refuse = false;
  EXPECT_TRUE(append_one(*calls, 1, 0, record).ok());
  std::vector<uint8_t> into(4096);
  calls->read(1, {shard(1), 40960, 0, 0, 4096}, {}, into, in(kLong));
  EXPECT_EQ(calls->wait(in(kLong))->status.code(), Errc::not_found);
  EXPECT_TRUE(append_one(*calls, 1, 8192, record).ok());
  EXPECT_EQ(network.connects(), 1);
}

TEST_F(ChunkClientTest, ASilentServerTimesOutAloneAndTakesItsConnectionWithIt) {
  add(1).gate.close();
  add(2);
  const auto calls = client.calls();
  calls->sync(1, {shard(1), BootId{1}, 0}, in(50ms));
  calls->sync(2, {shard(1), BootId{1}, 0}, in(kLong));
  calls->sync(3, {shard(2), BootId{1}, 0}, in(kLong));
  EXPECT_EQ(calls->wait(in(kLong))->tag, 3u);
  const auto first = calls->wait(in(kLong));
  EXPECT_EQ(first->tag, 1u);
  EXPECT_EQ(first->status.code(), Errc::timed_out);
  const auto second = calls->wait(in(kLong));
  EXPECT_EQ(second->tag, 2u);
  EXPECT_EQ(second->status.code(), Errc::unavailable);
  EXPECT_GE(client.reluctance(ServerId{1}), 1000u);
  EXPECT_LT(client.reluctance(ServerId{2}), 1000u);
  servers[1]->gate.open();
  calls->sync(4, {shard(1), BootId{1}, 0}, in(kLong));  // on a new connection: no answer is taken for another's
  const auto third = calls->wait(in(kLong));
  EXPECT_EQ(third->tag, 4u);
  EXPECT_TRUE(third->status.ok());
}

TEST_F(ChunkClientTest, NobodyListeningIsUnavailable) {
  addresses[1] = {"127.0.0.1", 1};
  const auto calls = client.calls();
  calls->sync(1, {shard(1), BootId{1}, 0}, in(kLong));
  EXPECT_EQ(calls->wait(in(kLong))->status.code(), Errc::unavailable);
  calls->sync(2, {shard(9), BootId{1}, 0},
              in(kLong));  // the map does not know it: that is no statement about its shards
  EXPECT_EQ(calls->wait(in(kLong))->status.code(), Errc::unavailable);
  EXPECT_EQ(refreshes, 2);
}

TEST_F(ChunkClientTest, ACancelledReadTouchesItsBuffersNoMoreAndTheNextOneIsRight) {
  auto& server = add(1);
  const auto calls = client.calls();
  const auto record = random_bytes(kHeader + kCell, 1);
  ASSERT_TRUE(append_one(*calls, 1, 0, record).ok());
  server.gate.close();
  std::vector<uint8_t> cancelled(kHeader + kCell, 0xee);
  std::vector<uint8_t> wanted(kHeader + kCell);
  const ReadCall call{shard(1), 0, kHeader, 0, kCell};
  calls->read(1, call, std::span(cancelled).first(kHeader), std::span(cancelled).subspan(kHeader), in(kLong));
  calls->read(2, call, std::span(wanted).first(kHeader), std::span(wanted).subspan(kHeader), in(kLong));
  calls->cancel(1);
  EXPECT_EQ(calls->under_way(), 1u);
  server.gate.open();
  const auto done = calls->wait(in(kLong));
  EXPECT_EQ(done->tag, 2u);
  EXPECT_TRUE(done->status.ok());
  EXPECT_EQ(wanted, record);
  EXPECT_EQ(cancelled, std::vector<uint8_t>(kHeader + kCell, 0xee));
  EXPECT_EQ(calls->wait(in(kLong)), std::nullopt);
  EXPECT_EQ(network.connects(), 1);
}

TEST_F(ChunkClientTest, ACompletionThatWasNotYetTakenCanBeCancelled) {
  add(1);
  const auto calls = client.calls();
  const auto record = random_bytes(8192, 1);
  const iovec one = piece(record);
  addresses[2] = {"127.0.0.1", 1};
  calls->append(2, {shard(2), 0, Epoch{1}, false}, {&one, 1}, in(kLong));  // fails at once
  EXPECT_EQ(calls->under_way(), 1u);
  calls->cancel(2);
  EXPECT_EQ(calls->under_way(), 0u);
  EXPECT_EQ(calls->wait(in(kLong)), std::nullopt);
}

TEST_F(ChunkClientTest, AConnectionWithAnUnansweredCallIsNotReused) {
  auto& server = add(1);
  const auto record = random_bytes(8192, 1);
  {
    const auto calls = client.calls();
    ASSERT_TRUE(append_one(*calls, 1, 0, record).ok());
    server.gate.close();
    calls->sync(1, {shard(1), BootId{1}, 0}, in(kLong));
  }
  server.gate.open();
  const auto calls = client.calls();
  std::vector<uint8_t> into(8192);
  calls->read(1, {shard(1), 0, 4096, 0, 4096}, std::span(into).first(4096), std::span(into).subspan(4096), in(kLong));
  const auto done = calls->wait(in(kLong));
  ASSERT_TRUE(done && done->status.ok());
  EXPECT_EQ(into, record);
  EXPECT_EQ(network.connects(), 2);
}

TEST_F(ChunkClientTest, ConnectionsAreReusedByLaterGatherers) {
  add(1);
  const auto record = random_bytes(8192, 1);
  for (uint64_t i = 0; i < 10; ++i) EXPECT_TRUE(append_one(*client.calls(), 1, i * 8192, record).ok());
  EXPECT_EQ(network.connects(), 1);
}

TEST_F(ChunkClientTest, ARestartUnderAPooledConnectionIsNotSeenByTheFirstCalls) {
  add(1);
  const auto record = random_bytes(kHeader + kCell, 1);
  ASSERT_TRUE(append_one(*client.calls(), 1, 0, record).ok());
  auto& again = restart(1, 2);
  const auto calls = client.calls();
  const auto second = random_bytes(kHeader + kCell, 2);
  const iovec one = piece(second);
  std::vector<uint8_t> into(kHeader + kCell);
  calls->append(1, {shard(1), kHeader + kCell, Epoch{1}, false}, {&one, 1}, in(kLong));
  calls->sync(2, {shard(1), BootId{1}, kHeader + kCell}, in(kLong));
  calls->read(3, {shard(1), kHeader + kCell, kHeader, 0, kCell}, std::span(into).first(kHeader),
              std::span(into).subspan(kHeader), in(kLong));
  auto done = calls->wait(in(kLong));
  EXPECT_EQ(done->tag, 1u);
  ASSERT_TRUE(done->status.ok()) << done->status.error().what;
  EXPECT_EQ(done->boot, BootId{2});
  done = calls->wait(in(kLong));
  EXPECT_EQ(done->tag, 2u);
  EXPECT_EQ(done->status.code(), Errc::stale_boot);  // the appends of the earlier boot may be lost
  done = calls->wait(in(kLong));
  EXPECT_EQ(done->tag, 3u);
  ASSERT_TRUE(done->status.ok());
  EXPECT_EQ(into, second);
  EXPECT_EQ(again.record(1, 0, kHeader + kCell), second);
}

TEST_F(ChunkClientTest, AConnectionThatBreaksAfterAnAnswerFailsItsCalls) {
  auto& server = add(1);
  const auto calls = client.calls();
  const auto record = random_bytes(8192, 1);
  ASSERT_TRUE(append_one(*calls, 1, 0, record).ok());
  server.drop_next = 1;
  EXPECT_EQ(append_one(*calls, 1, 8192, record).code(), Errc::unavailable);
  EXPECT_TRUE(append_one(*calls, 1, 8192, record).ok());
}

TEST_F(ChunkClientTest, AServerThatMovedIsFoundThroughTheMap) {
  add(1);
  const auto record = random_bytes(8192, 1);
  old_addresses[1] = addresses[1];
  ASSERT_TRUE(append_one(*client.calls(), 1, 0, record).ok());
  restart(1, 2, false);
  EXPECT_TRUE(append_one(*client.calls(), 1, 0, record).ok());
  EXPECT_EQ(refreshes, 1);
}

TEST_F(ChunkClientTest, AnotherServerAtTheAddressRefusesAndTheMapIsFetchedAgain) {
  add(1).id = ServerId{1};
  add(2).id = ServerId{2};
  const auto record = random_bytes(8192, 1);
  old_addresses[1] = addresses[2];  // the map is old: they have exchanged addresses since
  const auto calls = client.calls();
  EXPECT_EQ(append_one(*calls, 1, 0, record).code(), Errc::stale_boot);
  EXPECT_TRUE(append_one(*client.calls(), 1, 0, record).ok());
  EXPECT_EQ(refreshes, 1);
  EXPECT_EQ(servers[1]->record(1, 0, 0), record);
}

TEST_F(ChunkClientTest, ATailOfAnotherLengthIsRefused) {
  auto& server = add(1);
  const auto calls = client.calls();
  ASSERT_TRUE(append_one(*calls, 1, 0, random_bytes(16384, 1)).ok());
  server.short_tail = true;
  std::vector<uint8_t> into(16384);
  calls->read(1, {shard(1), 0, 4096, 0, 12288}, std::span(into).first(4096), std::span(into).subspan(4096), in(kLong));
  EXPECT_EQ(calls->wait(in(kLong))->status.code(), Errc::io);
}

TEST_F(ChunkClientTest, HousekeepingCallsWorkAlsoAfterARestart) {
  add(1);
  ASSERT_TRUE(client.seal(shard(1), 8192, Epoch{4}, in(kLong)).ok());
  auto& again = restart(1, 2);
  ASSERT_TRUE(client.seal(shard(1), 4096, Epoch{5}, in(kLong)).ok());
  EXPECT_THAT(again.seals(), ElementsAre(std::pair<uint64_t, uint64_t>(1, 4096)));
  EXPECT_EQ(client.seal(shard(1), 77, Epoch{5}, in(kLong)).code(), Errc::invalid);
  const auto all = client.list_shards(ServerId{1}, Incarnation{7}, ChunkId{}, 100, in(kLong));
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->size(), 10u);
  EXPECT_EQ(client.list_shards(ServerId{1}, Incarnation{7}, ChunkId{3}, 5, in(kLong))->size(), 5u);
}

// ---- a peer whose every byte the test sends -------------------------------------------------------------------------

struct RawPeerTest : ::testing::Test {
  void SetUp() override {
    auto listening = real_network().listen({"127.0.0.1", 0});
    ASSERT_TRUE(listening.ok());
    listener = std::move(listening).value();
  }
  std::unique_ptr<Stream> accept() {
    auto stream = listener->accept();
    EXPECT_TRUE(stream.ok());
    return std::move(stream).value();
  }
  static void send(Stream& stream, std::span<const uint8_t> bytes) {
    const iovec out = piece(bytes);
    ASSERT_TRUE(stream.write_all({&out, 1}, in(kLong)).ok());
  }
  static std::vector<uint8_t> read_reply(uint32_t tail_bytes) {
    auto transport = std::make_shared<MessageTransport>();
    MessageProtocol protocol(transport);
    transport->start();
    protocol.writeMessageBegin("read", apache::thrift::protocol::T_REPLY, 0);
    thrift::Chunkserver_read_result result;
    result.success.__set_tail_bytes(static_cast<int32_t>(tail_bytes));
    result.__isset.success = true;
    result.write(&protocol);
    const auto frame = transport->frame();
    return {frame.begin(), frame.end()};
  }

  std::unique_ptr<Listener> listener;
  ChunkClient client{real_network(), real_clock(),
                     [this](ServerId, bool) { return Result<Address>(listener->address()); }};
};

TEST_F(RawPeerTest, APeerThatStopsInTheMiddleOfATailHoldsUpNobody) {
  FakeChunkserver healthy;
  ASSERT_TRUE(healthy.start().ok());
  ChunkClient both(real_network(), real_clock(), [&](ServerId server, bool) {
    return Result<Address>(server == ServerId{1} ? listener->address() : healthy.address());
  });
  const auto calls = both.calls();
  std::vector<uint8_t> into(kHeader + kCell, 0xee);
  calls->read(1, {{ServerId{1}, {}, ChunkId{1}, 0}, 0, kHeader, 0, kCell}, std::span(into).first(kHeader),
              std::span(into).subspan(kHeader), in(kLong));
  const auto peer = accept();
  const auto tail = random_bytes(kHeader + kCell, 1);
  send(*peer, read_reply(kHeader + kCell));
  send(*peer, std::span(tail).first(100'000));
  calls->sync(2, {{ServerId{2}, {}, ChunkId{1}, 0}, BootId{1}, 0}, in(kLong));
  EXPECT_EQ(calls->wait(in(kLong))->tag, 2u);
  EXPECT_EQ(calls->wait(in(20ms)), std::nullopt);  // by now the first part has been taken
  const std::vector<uint8_t> so_far = into;
  EXPECT_TRUE(std::equal(tail.begin(), tail.begin() + 100'000, so_far.begin()));
  calls->cancel(1);
  send(*peer, std::span(tail).subspan(100'000, 50'000));
  calls->sync(3, {{ServerId{2}, {}, ChunkId{1}, 0}, BootId{1}, 0}, in(kLong));
  EXPECT_EQ(calls->wait(in(kLong))->tag, 3u);
  EXPECT_EQ(into, so_far);  // not touched any more
}

TEST_F(RawPeerTest, RepliesInAnyPiecesAreUnderstood) {
  const auto calls = client.calls();
  const auto tail = random_bytes(12288, 1);
  std::vector<std::vector<uint8_t>> into(3, std::vector<uint8_t>(12288));
  for (uint32_t i = 0; i < 3; ++i) {
    calls->read(i, {{ServerId{1}, {}, ChunkId{1}, 0}, 0, 4096, 0, 8192}, std::span(into[i]).first(4096),
                std::span(into[i]).subspan(4096), in(kLong));
  }
  const auto peer = accept();
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 3; ++i) {
    const auto reply = read_reply(12288);
    bytes.insert(bytes.end(), reply.begin(), reply.end());
    bytes.insert(bytes.end(), tail.begin(), tail.end());
  }
  Thread sender("sender", [&] {
    for (size_t at = 0; at < bytes.size(); at += 1777)
      send(*peer, std::span(bytes).subspan(at, std::min<size_t>(1777, bytes.size() - at)));
  });
  for (uint32_t i = 0; i < 3; ++i) {
    const auto done = calls->wait(in(kLong));
    ASSERT_TRUE(done && done->status.ok());
    EXPECT_EQ(done->tag, i);
    EXPECT_EQ(into[i], tail);
  }
}

TEST_F(RawPeerTest, GarbageInsteadOfAReplyFailsTheCallAndTheConnection) {
  const std::vector<std::vector<uint8_t>> garbage = {
      {0xff, 0xff, 0xff, 0xff, 1, 2, 3}, {0, 0, 0, 0}, {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o'}, random_bytes(3000, 7)};
  for (const auto& bytes : garbage) {
    const auto calls = client.calls();
    std::vector<uint8_t> into(4096);
    calls->read(1, {{ServerId{1}, {}, ChunkId{1}, 0}, 0, 0, 0, 4096}, {}, into, in(kLong));
    calls->sync(2, {{ServerId{1}, {}, ChunkId{1}, 0}, BootId{1}, 0}, in(kLong));
    const auto peer = accept();
    send(*peer, bytes);
    peer->shut_down();
    const auto first = calls->wait(in(kLong));
    EXPECT_EQ(first->tag, 1u);
    EXPECT_TRUE(first->status.code() == Errc::io || first->status.code() == Errc::unavailable)
        << first->status.error().what;
    const auto second = calls->wait(in(kLong));
    EXPECT_EQ(second->tag, 2u);
    EXPECT_EQ(second->status.code(), Errc::unavailable);
  }
}

}  // namespace
}  // namespace cairn::test
