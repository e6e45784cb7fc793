// Small servers behind the real RpcServer: shards and names in memory, with doors that a test can close and faults it
// can order.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "common/base/network.h"
#include "common/base/thread.h"
#include "common/rpc/rpc_server.h"
#include "common/rpc/wire.h"

namespace cairn::test {

inline Instant in(Duration d) { return real_clock().now() + d; }
inline constexpr Duration kLong = 20s;  // a deadline that only a broken test meets

// Closed, it holds whoever comes; opened, it lets all go on for ever.
class Gate {
 public:
  void close();
  void open();
  void pass();                // waits while closed
  void await_waiting(int n);  // until n are held
 private:
  Mutex mutex_;
  CondVar changed_;
  bool closed_ = false;
  int waiting_ = 0;
};

// A chunkserver in memory.
class FakeChunkserver {
 public:
  explicit FakeChunkserver(uint64_t boot = 1, RpcServer::Limits limits = {});
  ~FakeChunkserver();
  Status start(uint16_t port = 0);
  void stop();
  Address address() const { return server_->address(); }
  RpcServer& server() { return *server_; }

  const BootId boot;
  ServerId id{};  // 0: answers to any
  Gate gate;      // before every answer
  std::atomic<int> appends = 0, syncs = 0, reads = 0;
  std::atomic<int> drop_next = 0;        // so many calls are handled, then their connection is closed without an answer
  std::atomic<bool> from_file = false;   // reads are answered from a file, by sendfile
  std::atomic<bool> refuse = false;      // appends are refused, their tail skipped
  std::atomic<bool> short_tail = false;  // reads promise less than was asked for

  using Place = std::tuple<uint64_t, uint8_t, uint64_t>;  // chunk, shard, place
  std::vector<uint8_t> record(uint64_t chunk, uint8_t shard, uint64_t place);
  std::vector<std::pair<uint64_t, uint64_t>> seals();  // chunk, committed

 private:
  class Handler;
  std::unique_ptr<RpcServer> server_;
  std::mutex mutex_;
  std::map<Place, std::vector<uint8_t>> records_;     // guarded by mutex_
  std::vector<std::pair<uint64_t, uint64_t>> seals_;  // guarded by mutex_
};

// A metaserver that knows a few calls and notes the mutations that it saw.
class FakeMetaserver {
 public:
  explicit FakeMetaserver(RpcServer::Limits limits = {});
  ~FakeMetaserver();
  Status start(uint16_t port = 0);
  void stop();
  Address address() const { return server_->address(); }
  RpcServer& server() { return *server_; }

  Gate gate;  // before every answer of make_node
  Gate lookup_gate;
  Gate events_gate;
  std::atomic<int> drop_next = 0;
  std::atomic<int> lookups = 0;
  std::atomic<int> unavailable_next = 0;   // so many lookups say unavailable
  std::atomic<int> busy_next = 0;          // so many calls of make_node say busy
  std::atomic<int> unknown_code_next = 0;  // so many lookups say an error from the future
  std::vector<Mutation> mutations();       // of all make_node calls, in order of arrival
  std::vector<uint64_t> nonces();          // of all open_session calls

 private:
  class Handler;
  std::unique_ptr<RpcServer> server_;
  std::mutex mutex_;
  std::vector<Mutation> mutations_;  // guarded by mutex_
  std::vector<uint64_t> nonces_;     // guarded by mutex_
};

// The real network, with counted connects and a way to wait for them.
class CountingNetwork : public Network {
 public:
  Result<std::unique_ptr<Stream>> connect(const Address& to, Instant deadline) override;
  Result<std::unique_ptr<Listener>> listen(const Address& at) override { return real_network().listen(at); }
  Result<size_t> wait_readable(std::span<Stream* const> streams, Instant deadline) override {
    return real_network().wait_readable(streams, deadline);
  }
  int connects();
  int refused();
  void await_refused(int n);

 private:
  Mutex mutex_;
  CondVar changed_;
  int connects_ = 0;
  int refused_ = 0;
};

// Bytes that depend on the seed alone.
std::vector<uint8_t> random_bytes(size_t size, uint64_t seed);
iovec piece(std::span<const uint8_t> bytes);

}  // namespace cairn::test
