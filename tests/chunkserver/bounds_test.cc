// Appends may hold so much memory and no more, whatever their senders do: others wait, then are told that it is busy.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "chunkserver/chunkserver.h"
#include "common/base/metrics.h"
#include "common/base/network.h"
#include "common/rpc/chunk_client.h"
#include "common/rpc/rpc_connection.h"
#include "common/rpc/wire.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

using testing::HasSubstr;
using Stub = thrift::ChunkserverClient;
using Connection = RpcConnection<Stub>;

constexpr ServerId kServer{1};
constexpr Epoch kEpoch{4};
constexpr uint64_t kMemory = 3 * BufferPool::kLargest;
constexpr test::RecordShape kLarge{.cell_bytes = kMaxCellBytes, .data_bytes = kMaxCellBytes, .owners = 1};

class ChunkserverBoundsTest : public ::testing::Test {
 protected:
  ChunkserverBoundsTest()
      : client_(real_network(), real_clock(), [this](ServerId, bool) { return Result<Address>(server_->address()); }) {
    ChunkserverOptions options;
    options.data = directory_.path() + "/data";
    options.buffer_bytes = kMemory;
    options.buffer_wait = 300ms;
    options.metrics = &metrics_;
    server_ = std::make_unique<Chunkserver>(real_network(), real_clock(), real_disk(), options, 1);
    const Status started = server_->start();
    EXPECT_TRUE(started.ok()) << started.error().what;
    EXPECT_TRUE(server_->identity().adopt(test::kIncarnation, kServer).ok());
  }
  static Instant soon() { return real_clock().now() + 20s; }
  static ShardRef shard(uint64_t chunk) { return {kServer, test::kIncarnation, ChunkId{chunk}, 2}; }

  Status append(uint64_t chunk, const std::vector<uint8_t>& record) {
    const auto calls = client_.calls();
    const iovec piece{const_cast<uint8_t*>(record.data()), record.size()};
    calls->append(1, {shard(chunk), 0, kEpoch, false}, {&piece, 1}, soon());
    const auto done = calls->wait(soon());
    return done ? done->status : Status(Errc::timed_out, "no answer");
  }
  // Says that a record comes, and sends only its beginning.
  std::unique_ptr<Connection> begin_append(uint64_t chunk, const std::vector<uint8_t>& record) {
    auto stream = real_network().connect(server_->address(), soon());
    EXPECT_TRUE(stream.ok());
    auto connection = std::make_unique<Connection>(std::move(stream).value(), 4096);
    const auto frame = connection->encode(
        &Stub::send_append, to_wire(AppendCall{shard(chunk), 0, kEpoch, false}, static_cast<uint32_t>(record.size())));
    const iovec pieces[] = {{const_cast<uint8_t*>(frame.data()), frame.size()},
                            {const_cast<uint8_t*>(record.data()), record.size() / 2}};
    EXPECT_TRUE(connection->stream().write_all(pieces, soon()).ok());
    return connection;
  }
  uint64_t buffer_bytes() const {
    const std::string text = metrics_.text();
    const std::string name = "\ncairn_chunkserver_buffer_bytes";
    const size_t at = text.find(' ', text.find(name) + name.size());
    return static_cast<uint64_t>(std::stod(text.substr(at)));
  }
  template <typename Condition>
  static bool becomes_true(const Condition& condition) {
    const Instant until = soon();
    while (!condition()) {
      if (real_clock().now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  test::TemporaryDirectory directory_;
  Metrics metrics_;
  std::unique_ptr<Chunkserver> server_;
  ChunkClient client_;
};

TEST_F(ChunkserverBoundsTest, AppendsThatDoNotComeHoldTheirMemoryAndNoMoreAndTheNextOneIsToldBusy) {
  std::vector<std::vector<uint8_t>> records;
  std::vector<std::unique_ptr<Connection>> stuck;
  for (uint64_t chunk = 1; chunk <= 12; ++chunk) {
    records.push_back(test::make_record({ChunkId{chunk}, 2}, 0, kLarge));
    stuck.push_back(begin_append(chunk, records.back()));
  }
  ASSERT_TRUE(becomes_true([&] { return buffer_bytes() > kMemory - BufferPool::kLargest; }));
  const Status refused = append(100, test::make_record({ChunkId{100}, 2}, 0, kLarge));
  EXPECT_EQ(refused.code(), Errc::busy);
  EXPECT_THAT(refused.error().what, HasSubstr(fmt::format("{} bytes", kMemory)));
  EXPECT_LE(buffer_bytes(), kMemory);
  EXPECT_TRUE(client_.status(kServer, soon()).ok()) << "calls without a record go on";
  stuck.clear();
  EXPECT_TRUE(becomes_true([&] { return append(101, test::make_record({ChunkId{101}, 2}, 0, kLarge)).ok(); }));
  EXPECT_LE(buffer_bytes(), kMemory);
}

TEST_F(ChunkserverBoundsTest, ManyLargeAppendsAtOnceAllSucceedWithinTheMemory) {
  std::atomic<int> done = 0;
  std::vector<Thread> threads;
  for (uint64_t chunk = 1; chunk <= 24; ++chunk) {
    threads.emplace_back("appender", [&, chunk] {
      const auto record = test::make_record({ChunkId{chunk}, 2}, 0, kLarge);
      while (true) {  // busy: ask again
        const Status status = append(chunk, record);
        EXPECT_LE(buffer_bytes(), kMemory);
        if (status.ok()) break;
        if (status.code() != Errc::busy) return ADD_FAILURE() << status.error().what;
      }
      ++done;
    });
  }
  threads.clear();
  EXPECT_EQ(done, 24);
}

}  // namespace
}  // namespace cairn
