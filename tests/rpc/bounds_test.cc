// What outside peers may cost a server: connections, threads, memory, time and lines of the log, each against somebody
// who tries to take more.
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <fstream>

#include "common/base/random.h"
#include "common/rpc/rpc_connection.h"
#include "tests/rpc/fake_servers.h"

namespace cairn::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // memory is the sanitizer's, and threads are dear
#else
constexpr bool kSanitized = false;
#endif

using MetaStub = thrift::MetaserverClient;
using ChunkStub = thrift::ChunkserverClient;
using MetaConnection = RpcConnection<MetaStub>;
using ChunkConnection = RpcConnection<ChunkStub>;

template <typename Connection = MetaConnection>
std::unique_ptr<Connection> connect(const Address& to) {
  auto stream = real_network().connect(to, in(kLong));
  EXPECT_TRUE(stream.ok()) << stream.error().what;
  return std::make_unique<Connection>(std::move(stream).value(), 4096);
}

thrift::LookupRequest lookup_of(size_t name_bytes) {
  thrift::LookupRequest request;
  request.parent = 1;
  request.name = std::string(name_bytes, 'n');
  return request;
}
bool lookup_works(MetaConnection& connection, size_t name_bytes = 4) {
  thrift::EntryReply reply;
  const Status status =
      connection.call(&MetaStub::send_lookup, &MetaStub::recv_lookup, lookup_of(name_bytes), reply, in(kLong));
  return status.ok() && reply.entry.name.size() == name_bytes;
}
Status ask(MetaConnection& connection, size_t name_bytes) {
  return connection.send(&MetaStub::send_lookup, lookup_of(name_bytes), in(kLong));
}
bool answered(MetaConnection& connection, size_t name_bytes) {
  const auto frame = connection.reader().read(in(kLong));
  if (!frame.ok()) return false;
  thrift::EntryReply reply;
  return connection.decode(*frame, &MetaStub::recv_lookup, reply).ok() && reply.entry.name.size() == name_bytes;
}
thrift::MakeNodeRequest held_by_the_gate() {
  return to_wire(MakeNode{kRootInode, "slow", 0100644, 0, 0, 0, ""},
                 Mutation{SessionId{1}, RequestId{1}, RequestId{1}});
}

Status send_bytes(Stream& stream, std::span<const uint8_t> bytes) {
  const iovec out = piece(bytes);
  return stream.write_all({&out, 1}, in(kLong));
}
// Whether the other side closes within this time. Anything that it says before is read and forgotten.
bool closes_within(Stream& stream, Duration time) {
  std::vector<uint8_t> nowhere(65536);
  for (const Instant until = in(time);;) {
    const auto n = stream.read_some(nowhere, until);
    if (!n.ok() && n.code() == Errc::timed_out) return false;
    if (!n.ok() || *n == 0) return true;
  }
}
// Sends the bytes one by one with a pause between them, until the other side closes. False: it never did.
bool closes_while_bytes_trickle(Stream& stream, size_t count, Duration pause) {
  const uint8_t byte = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!send_bytes(stream, {&byte, 1}).ok()) return true;
    if (closes_within(stream, pause)) return true;
  }
  return false;
}
template <typename Condition>
bool becomes_true(const Condition& condition) {
  const Instant until = in(kLong);
  while (!condition()) {
    if (real_clock().now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

uint64_t own_status(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1));
  }
  return 0;
}

// ---- time ----------------------------------------------------------------------------------------------------------

TEST(RpcBoundsTest, HalfAMessageThenSilenceIsClosed) {
  FakeMetaserver server({.io_timeout = 100ms});
  ASSERT_TRUE(server.start().ok());
  const auto idle = connect(server.address());
  const auto half = connect(server.address());
  ASSERT_TRUE(send_bytes(half->stream(), std::vector<uint8_t>{0, 0, 1, 0, 0x80, 1}).ok());
  EXPECT_TRUE(closes_within(half->stream(), kLong));
  EXPECT_FALSE(closes_within(idle->stream(), 200ms)) << "who has begun no message may be idle";
}

TEST(RpcBoundsTest, AFrameThatComesByteForByteHasNoMoreTimeThanAnother) {
  FakeMetaserver server({.io_timeout = 200ms});
  ASSERT_TRUE(server.start().ok());
  const auto slow = connect(server.address());
  ASSERT_TRUE(send_bytes(slow->stream(), std::vector<uint8_t>{0, 1, 0, 0}).ok());
  EXPECT_TRUE(closes_while_bytes_trickle(slow->stream(), 200, 20ms));
}

TEST(RpcBoundsTest, ATailThatComesByteForByteHasNoMoreTimeThanAnother) {
  FakeChunkserver server(1, {.io_timeout = 200ms});
  ASSERT_TRUE(server.start().ok());
  const auto slow = connect<ChunkConnection>(server.address());
  const auto frame = slow->encode(&ChunkStub::send_append, to_wire(AppendCall{.shard = {.chunk = ChunkId{1}}}, 8192));
  ASSERT_TRUE(send_bytes(slow->stream(), frame).ok());
  EXPECT_TRUE(closes_while_bytes_trickle(slow->stream(), 200, 20ms));
}

TEST(RpcBoundsTest, AFileIsNotSentForLongerThanItsDeadlineToAReaderThatTakesLittle) {
  auto listener = real_network().listen({"127.0.0.1", 0});
  ASSERT_TRUE(listener.ok());
  auto reader = real_network().connect((*listener)->address(), in(kLong));
  auto writer = (*listener)->accept();
  auto idle = real_network().connect((*listener)->address(), in(kLong));  // nobody says anything on it
  ASSERT_TRUE(reader.ok() && writer.ok() && idle.ok());
  const int little = 64 << 10;
  ASSERT_EQ(::setsockopt((*reader)->descriptor(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
  ASSERT_EQ(::setsockopt((*writer)->descriptor(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
  std::atomic<bool> ended = false;
  Thread taker("taker", [&] {
    std::vector<uint8_t> bytes(32768);
    while (!ended) {
      (void)(*reader)->read_some(bytes, in(kLong));
      (void)closes_within(**idle, 10ms);  // a pause
    }
  });
  auto file = real_disk().open("/proc/self/exe", OpenMode::read_only);
  ASSERT_TRUE(file.ok());
  const Instant begun = real_clock().now();
  const Status sent = (*writer)->send_file(**file, 0, 64u << 20, in(500ms));
  const Duration took = real_clock().now() - begun;
  ended = true;
  (*writer)->shut_down();
  EXPECT_EQ(sent.code(), Errc::timed_out);
  EXPECT_LT(took, 1500ms);
}

// ---- connections ---------------------------------------------------------------------------------------------------

TEST(RpcBoundsTest, AFullTableOfIdleConnectionsLetsANewcomerIn) {
  FakeMetaserver server({.connections = 3, .idle_grace = 0s});
  ASSERT_TRUE(server.start().ok());
  std::vector<std::unique_ptr<MetaConnection>> old;
  for (int i = 0; i < 3; ++i) {
    old.push_back(connect(server.address()));
    ASSERT_TRUE(lookup_works(*old.back()));
  }
  ASSERT_TRUE(lookup_works(*old[0]));  // so that the second is the one that has been idle longest
  const auto newcomer = connect(server.address());
  EXPECT_TRUE(lookup_works(*newcomer));
  EXPECT_TRUE(closes_within(old[1]->stream(), kLong));
  EXPECT_TRUE(lookup_works(*old[0]));
  EXPECT_TRUE(lookup_works(*old[2]));
  EXPECT_LE(server.server().connections(), 3u);
}

TEST(RpcBoundsTest, AHalfMessageIsDismissedLikeAnIdleConnection) {
  FakeMetaserver server({.connections = 2, .idle_grace = 0s});
  ASSERT_TRUE(server.start().ok());
  std::vector<std::unique_ptr<MetaConnection>> half;
  for (int i = 0; i < 2; ++i) {
    half.push_back(connect(server.address()));
    ASSERT_TRUE(send_bytes(half.back()->stream(), std::vector<uint8_t>{0, 0, 1, 0, 0x80}).ok());
  }
  const auto newcomer = connect(server.address());
  EXPECT_TRUE(lookup_works(*newcomer));
}

TEST(RpcBoundsTest, ACallThatIsBeingHandledIsNeverDismissed) {
  FakeMetaserver server({.connections = 3, .idle_grace = 0s});
  ASSERT_TRUE(server.start().ok());
  server.gate.close();
  std::vector<std::unique_ptr<MetaConnection>> busy;
  for (int i = 0; i < 3; ++i) {
    busy.push_back(connect(server.address()));
    ASSERT_TRUE(busy.back()->send(&MetaStub::send_make_node, held_by_the_gate(), in(kLong)).ok());
  }
  server.gate.await_waiting(3);
  const auto newcomer = connect(server.address());
  EXPECT_TRUE(closes_within(newcomer->stream(), kLong));
  server.gate.open();
  for (const auto& connection : busy) {
    const auto frame = connection->reader().read(in(kLong));
    ASSERT_TRUE(frame.ok());
    thrift::EntryReply reply;
    EXPECT_TRUE(connection->decode(*frame, &MetaStub::recv_make_node, reply).ok());
    EXPECT_EQ(reply.entry.name, "slow");
  }
}

TEST(RpcBoundsTest, AConnectionThatWasUsedJustNowIsNotDismissed) {
  FakeMetaserver server({.connections = 2, .idle_grace = 60s});
  ASSERT_TRUE(server.start().ok());
  const auto first = connect(server.address());
  const auto second = connect(server.address());
  ASSERT_TRUE(lookup_works(*first) && lookup_works(*second));
  const auto newcomer = connect(server.address());
  EXPECT_TRUE(closes_within(newcomer->stream(), kLong));
  EXPECT_TRUE(lookup_works(*first));
  EXPECT_TRUE(lookup_works(*second));
}

TEST(RpcBoundsTest, TwoThousandConnectionsCostLittleAndLeaveNothingBehind) {
  constexpr size_t kConnections = kSanitized ? 200 : 2000;
  FakeMetaserver server;
  ASSERT_TRUE(server.start().ok());
  ASSERT_TRUE(lookup_works(*connect(server.address())));
  const uint64_t threads = own_status("Threads");
  const uint64_t memory = own_status("VmRSS");
  {
    std::vector<std::unique_ptr<MetaConnection>> all;
    for (size_t i = 0; i < kConnections; ++i) all.push_back(connect(server.address()));
    // A message of 60 KB each way, after which nothing of it is kept.
    for (const auto& connection : all) ASSERT_TRUE(lookup_works(*connection, 60'000));
    EXPECT_GE(server.server().connections(), kConnections);
    const uint64_t each = (own_status("VmRSS") - memory) * 1024 / kConnections;
    RecordProperty("bytes_each", static_cast<int>(each));
    if (!kSanitized) {
      EXPECT_LT(each, 100'000u) << "bytes of both ends of a connection that is idle";
    }
  }
  EXPECT_TRUE(becomes_true([&] { return server.server().connections() <= 1; }));
  EXPECT_TRUE(lookup_works(*connect(server.address())));
  EXPECT_TRUE(becomes_true([&] { return own_status("Threads") <= threads + 2; }));
  if (!kSanitized) {
    EXPECT_LT(own_status("VmRSS"), memory + 100'000);
  }
}

// ---- memory --------------------------------------------------------------------------------------------------------

TEST(RpcBoundsTest, SenselessLengthsAreRefusedAtOnce) {
  FakeMetaserver server;
  ASSERT_TRUE(server.start().ok());
  for (const uint32_t length : {0u, (16u << 20) + 1, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    const auto bad = connect(server.address());
    const std::vector<uint8_t> bytes = {static_cast<uint8_t>(length >> 24), static_cast<uint8_t>(length >> 16),
                                        static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length), 0x80};
    ASSERT_TRUE(send_bytes(bad->stream(), bytes).ok());
    EXPECT_TRUE(closes_within(bad->stream(), kLong)) << length;
  }
  EXPECT_TRUE(lookup_works(*connect(server.address())));
}

TEST(RpcBoundsTest, LargeRequestsWaitForEachOtherAndSmallOnesDoNot) {
  constexpr size_t kLarge = 400'000;
  FakeMetaserver server({.frame_bytes = 1u << 20, .request_bytes = 1u << 20});
  ASSERT_TRUE(server.start().ok());
  server.lookup_gate.close();
  std::vector<std::unique_ptr<MetaConnection>> all;
  std::vector<Thread> senders;
  for (int i = 0; i < 10; ++i) {
    all.push_back(connect(server.address()));
    senders.emplace_back("sender", [connection = all.back().get()] { EXPECT_TRUE(ask(*connection, kLarge).ok()); });
  }
  server.lookup_gate.await_waiting(2);  // two fit
  const auto small = connect(server.address());
  thrift::RenewRequest renew;
  renew.session = 1;
  thrift::RenewReply renewed;
  EXPECT_TRUE(
      small->call(&MetaStub::send_renew_session, &MetaStub::recv_renew_session, renew, renewed, in(kLong)).ok());
  EXPECT_LE(server.server().request_bytes(), 1u << 20);
  EXPECT_EQ(server.lookups, 2);
  server.lookup_gate.open();
  for (const auto& connection : all) EXPECT_TRUE(answered(*connection, kLarge));
  senders.clear();
  EXPECT_TRUE(becomes_true([&] { return server.server().request_bytes() == 0; }));
}

TEST(RpcBoundsTest, APromiseOfALargeRequestIsForgottenWhenItDoesNotCome) {
  FakeMetaserver server({.frame_bytes = 1u << 20, .request_bytes = 1u << 20, .io_timeout = 200ms});
  ASSERT_TRUE(server.start().ok());
  std::vector<std::unique_ptr<MetaConnection>> hostile;
  for (int i = 0; i < 20; ++i) {
    hostile.push_back(connect(server.address()));
    ASSERT_TRUE(send_bytes(hostile.back()->stream(), std::vector<uint8_t>{0, 0x10, 0, 0, 0x80}).ok());  // 1 MiB
  }
  EXPECT_TRUE(lookup_works(*connect(server.address())));
  for (const auto& one : hostile) EXPECT_TRUE(closes_within(one->stream(), kLong));
  EXPECT_TRUE(lookup_works(*connect(server.address()), 400'000));
  EXPECT_TRUE(becomes_true([&] { return server.server().request_bytes() == 0; }));
}

TEST(RpcBoundsTest, RepliesThatNobodyTakesAreCutOffBeforeTheyFillTheMemory) {
  constexpr size_t kReply = 4u << 20;
  constexpr uint64_t kMost = 32u << 20;
  FakeMetaserver server({.request_bytes = 256u << 20, .reply_bytes = kMost});
  ASSERT_TRUE(server.start().ok());
  std::vector<std::unique_ptr<MetaConnection>> never_reads;
  for (int i = 0; i < 20; ++i) {
    never_reads.push_back(connect(server.address()));
    const int little = 4096;
    ASSERT_EQ(::setsockopt(never_reads.back()->stream().descriptor(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little),
              0);
    for (int calls = 0; calls < 2; ++calls) (void)ask(*never_reads.back(), kReply);  // more than the kernel's buffers
    EXPECT_LE(server.server().reply_bytes(), kMost + kReply) << i;
    const auto reader = connect(server.address());
    EXPECT_TRUE(lookup_works(*reader, kReply)) << "who reads is served";
  }
  EXPECT_TRUE(becomes_true([&] { return server.server().connections() <= kMost / kReply + 2; })) << "the others";
  never_reads.clear();
  EXPECT_TRUE(becomes_true([&] { return server.server().reply_bytes() == 0; }));
}

// ---- the log -------------------------------------------------------------------------------------------------------

class CountingSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::atomic<int> lines = 0;

 private:
  void sink_it_(const spdlog::details::log_msg&) override { ++lines; }
  void flush_() override {}
};

TEST(RpcBoundsTest, HostilePeersDoNotFillTheLog) {
  const auto before = spdlog::default_logger();
  const auto sink = std::make_shared<CountingSink>();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  {
    FakeMetaserver server({.connections = 20, .idle_grace = 60s});
    ASSERT_TRUE(server.start().ok());
    for (int i = 0; i < 300; ++i) {
      const auto bad = connect(server.address());
      ASSERT_TRUE(send_bytes(bad->stream(), std::vector<uint8_t>(8, 0xff)).ok());
      EXPECT_TRUE(closes_within(bad->stream(), kLong));
    }
    std::vector<std::unique_ptr<MetaConnection>> too_many;
    for (int i = 0; i < 300; ++i) too_many.push_back(connect(server.address()));
    EXPECT_TRUE(closes_within(too_many.back()->stream(), kLong));
  }
  spdlog::set_default_logger(before);
  EXPECT_GE(sink->lines, 2);
  EXPECT_LE(sink->lines, 40);
}

}  // namespace
}  // namespace cairn::test
