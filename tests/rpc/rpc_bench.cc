// How much a call costs: client, server and loopback in one process, on real sockets.
//
//   rpc_bench            small calls on 1 and 8 connections; 256 KiB records read and written through a gatherer
//
// Prints calls or bytes per second and the CPU time of both ends together.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/rpc/chunk_client.h"
#include "common/rpc/meta_client.h"
#include "tests/rpc/fake_servers.h"

namespace cairn::test {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Stopwatch {
  Instant start = real_clock().now();
  double cpu_start = cpu_seconds();
  double wall() const { return static_cast<double>((real_clock().now() - start).count()) / 1e9; }
  double cpu() const { return cpu_seconds() - cpu_start; }
};

void small_calls(int threads, int calls_each) {
  FakeMetaserver server;
  if (!server.start().ok()) return;
  MetaClient client(real_network(), real_clock(), server.address());
  const Stopwatch watch;
  {
    std::vector<Thread> callers;
    for (int t = 0; t < threads; ++t) {
      callers.emplace_back("caller", [&] {
        for (int i = 0; i < calls_each; ++i) {
          if (!client.lookup(kRootInode, "some_file_name.txt").ok()) std::abort();
        }
      });
    }
  }
  const double n = double(threads) * calls_each;
  fmt::print("lookup, {} connection(s): {:.0f} calls/s, {:.1f} us CPU each\n", threads, n / watch.wall(),
             watch.cpu() / n * 1e6);
}

constexpr uint32_t kHeader = 4096;
constexpr uint32_t kCell = 256 << 10;

// A file in memory; like a record in the page cache.
class CachedRecord : public File {
 public:
  explicit CachedRecord(std::span<const uint8_t> bytes) : fd_(::memfd_create("record", MFD_CLOEXEC)) {
    if (::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  }
  ~CachedRecord() override { ::close(fd_); }
  int descriptor() const override { return fd_; }
  Result<size_t> read_at(uint64_t, std::span<uint8_t>) override { return unused(); }
  Status write_at(uint64_t, std::span<const iovec>) override { return unused(); }
  Status sync_data() override { return unused(); }
  Status truncate(uint64_t) override { return unused(); }
  Status preallocate(uint64_t, uint64_t) override { return unused(); }
  Status punch(uint64_t, uint64_t) override { return unused(); }
  Result<uint64_t> size() override { return unused(); }
  Result<uint64_t> allocated() override { return unused(); }
  Result<uint64_t> next_data(uint64_t) override { return unused(); }

 private:
  static Error unused() { return {Errc::not_supported, "only sent"}; }
  int fd_;
};

// Does nothing but take and give tails, so that the transport alone is measured.
class TailHandler : public thrift::ChunkserverNull {
 public:
  TailHandler(CallTails& tails, std::shared_ptr<File> file)
      : tails_(tails), file_(std::move(file)), memory_(kHeader + kCell, 7) {}
  void append(thrift::AppendReply& reply, const thrift::AppendRequest& request) override {
    if (!tails_.read_tail(std::span(memory_).first(static_cast<size_t>(request.tail_bytes))).ok()) return;
    answer(reply, Result<ShardPosition>(ShardPosition{}));
  }
  void read(thrift::ReadReply& reply, const thrift::ReadRequest& request) override {
    const auto bytes = static_cast<uint32_t>(request.header_bytes + request.cell_bytes);
    answer(reply, Result<uint32_t>(bytes));
    if (file_) return tails_.reply_with_file(file_, 0, bytes);
    const iovec out = piece(std::span(memory_).first(bytes));
    tails_.reply_with({&out, 1});
  }

 private:
  CallTails& tails_;
  std::shared_ptr<File> file_;
  std::vector<uint8_t> memory_;
};

// width servers, each with one record under way at any time.
void records(int width, int rounds, bool write, bool from_file) {
  const auto record = random_bytes(kHeader + kCell, 1);
  const auto file = from_file ? std::make_shared<CachedRecord>(record) : nullptr;
  std::vector<std::unique_ptr<RpcServer>> servers;
  for (int i = 0; i < width; ++i) {
    servers.push_back(std::make_unique<RpcServer>(real_network(), real_clock(), [&](CallTails& tails) {
      return std::make_shared<thrift::ChunkserverProcessor>(std::make_shared<TailHandler>(tails, file));
    }));
    if (!servers.back()->start({"127.0.0.1", 0}).ok()) return;
  }
  ChunkClient client(real_network(), real_clock(),
                     [&](ServerId server, bool) { return Result<Address>(servers[raw(server) - 1]->address()); });
  std::vector<std::vector<uint8_t>> into(static_cast<size_t>(width), std::vector<uint8_t>(kHeader + kCell));
  const auto run = [&](int n, bool writing) {
    for (int round = 0; round < n; ++round) {
      const auto calls = client.calls();
      for (uint32_t i = 0; i < static_cast<uint32_t>(width); ++i) {
        const ShardRef shard{ServerId{i + 1}, {}, ChunkId{1}, 0};
        const iovec out = piece(record);
        if (writing) {
          calls->append(i, {shard, 0, Epoch{1}, false}, {&out, 1}, in(kLong));
        } else {
          calls->read(i, {shard, 0, kHeader, 0, kCell}, std::span(into[i]).first(kHeader),
                      std::span(into[i]).subspan(kHeader), in(kLong));
        }
      }
      while (const auto done = calls->wait(in(kLong))) {
        if (!done->status.ok()) std::abort();
      }
    }
  };
  run(20, true);
  const Stopwatch watch;
  run(rounds, write);
  const double bytes = double(rounds) * width * (kHeader + kCell);
  fmt::print("{} 256 KiB, {} server(s){}: {:.2f} GB/s, {:.3f} CPU-s/GiB\n", write ? "append" : "read", width,
             from_file ? ", sendfile" : "", bytes / watch.wall() / 1e9, watch.cpu() / (bytes / (1u << 30)));
}

}  // namespace
}  // namespace cairn::test

int main() {
  using namespace cairn::test;
  small_calls(1, 200'000);
  small_calls(8, 50'000);
  for (const int width : {1, 4}) {
    records(width, 12'000 / width, true, false);
    records(width, 12'000 / width, false, false);
    records(width, 12'000 / width, false, true);
  }
}
