// How fast one chunkserver is, through the network, on this machine's disk. Not a test: run it by hand.
//
//   chunkserver_bench [DIRECTORY]      a directory on the disk to measure; default: a temporary one
//
// Client and server share one process, so CPU-s/GiB is the sum of both. Numbers for docs/benchmarks.md come from
// tools/bench.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <cstdio>
#include <functional>

#include "chunkserver/chunkserver.h"
#include "common/rpc/chunk_client.h"
#include "tests/chunkserver/support.h"

namespace cairn {
namespace {

constexpr ServerId kServer{1};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
uint64_t peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) / 1024;
}

void require(const Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", status.error().what);
  std::exit(1);
}

ChunkserverOptions options_for(const std::string& directory) {
  ChunkserverOptions options;
  options.data = directory;
  return options;
}

struct Bench {
  Chunkserver server;
  ChunkClient client;
  uint64_t next_chunk = 1;

  explicit Bench(const std::string& directory)
      : server(real_network(), real_clock(), real_disk(), options_for(directory), 1),
        client(real_network(), real_clock(), [this](ServerId, bool) { return Result<Address>(server.address()); }) {
    require(server.start());
    require(server.identity().adopt(test::kIncarnation, kServer));
  }
  ShardRef shard(uint64_t chunk) const { return {kServer, test::kIncarnation, ChunkId{chunk}, 0}; }
  static Instant soon() { return real_clock().now() + 60s; }
  static void finish(ShardCalls& calls) {
    auto done = calls.wait(soon());
    if (!done) require(Status{Errc::timed_out, "no completion"});
    require(done->status);
  }
  static void append(ShardCalls& calls, const ShardRef& ref, uint64_t place, std::span<const uint8_t> record,
                     bool sync) {
    iovec piece{const_cast<uint8_t*>(record.data()), record.size()};
    calls.append(0, {ref, place, Epoch{1}, sync}, {&piece, 1}, soon());
    finish(calls);
  }

  // Runs the work on so many threads and prints a row. bytes and operations are those of all threads together.
  void row(const std::string& name, size_t threads, uint64_t operations, uint64_t bytes,
           const std::function<void(size_t)>& work) {
    double cpu = cpu_seconds();
    Instant begin = real_clock().now();
    std::vector<Thread> workers;
    for (size_t i = 0; i < threads; ++i) workers.emplace_back("bench", [&work, i] { work(i); });
    for (Thread& worker : workers) worker.join();
    double seconds = std::chrono::duration<double>(real_clock().now() - begin).count();
    double gib = static_cast<double>(bytes) / (1u << 30);
    fmt::print("{:<46} {:>7.2f} GB/s {:>9.0f} ops/s {:>7.2f} CPU-s/GiB {:>6.1f} us CPU/op\n", name,
               static_cast<double>(bytes) / seconds / 1e9, static_cast<double>(operations) / seconds,
               (cpu_seconds() - cpu) / gib, (cpu_seconds() - cpu) * 1e6 / static_cast<double>(operations));
  }
};

// Records are made before the clock runs: the client's checksums are not the chunkserver's.
std::vector<std::vector<uint8_t>> records_of(ShardKey key, size_t count, test::RecordShape shape) {
  std::vector<std::vector<uint8_t>> records;
  for (size_t i = 0; i < count; ++i) records.push_back(test::make_record(key, i * test::stride_of(shape), shape, i));
  return records;
}

void append_row(Bench& bench, const std::string& name, size_t threads, size_t count, size_t sync_every,
                test::RecordShape shape) {
  uint64_t first_chunk = bench.next_chunk, stride = test::stride_of(shape);
  bench.next_chunk += threads;
  std::vector<std::vector<std::vector<uint8_t>>> records;
  for (size_t i = 0; i < threads; ++i) records.push_back(records_of({ChunkId{first_chunk + i}, 0}, count, shape));
  bench.row(name, threads, threads * count, threads * count * stride, [&](size_t thread) {
    auto calls = bench.client.calls();
    for (size_t i = 0; i < count; ++i) {
      bool sync = (i + 1) % sync_every == 0;
      Bench::append(*calls, bench.shard(first_chunk + thread), i * stride, records[thread][i], sync);
    }
  });
}

void read_row(Bench& bench, uint64_t chunk, size_t count, size_t rounds, test::RecordShape shape) {
  uint64_t stride = test::stride_of(shape);
  bench.row(fmt::format("read {} KiB, warm", shape.cell_bytes >> 10), 1, count * rounds, count * rounds * stride,
            [&](size_t) {
              auto calls = bench.client.calls();
              std::vector<uint8_t> header(stride - shape.cell_bytes), cell(shape.cell_bytes);
              for (size_t i = 0; i < count * rounds; ++i) {
                calls->read(
                    0,
                    {bench.shard(chunk), i % count * stride, static_cast<uint32_t>(header.size()), 0, shape.cell_bytes},
                    header, cell, Bench::soon());
                Bench::finish(*calls);
              }
            });
}

// Before the others, whose records take memory themselves.
void memory_row(Bench& bench) {
  test::RecordShape huge{.cell_bytes = 1u << 20, .data_bytes = 1u << 20};
  uint64_t chunk = bench.next_chunk++;
  auto record = test::make_record({ChunkId{chunk}, 0}, 0, huge);
  bench.row("append 1 MiB, 64 connections", 64, 64 * 8, 64 * 8 * record.size(), [&](size_t) {
    auto calls = bench.client.calls();  // all write the same record: one is stored, the others are its repetitions
    for (int i = 0; i < 8; ++i) Bench::append(*calls, bench.shard(chunk), 0, record, false);
  });
  fmt::print("peak memory of client and server in that: {} MiB\n", peak_memory_mib());
}

void run(const std::string& directory) {
  Bench bench(directory);
  memory_row(bench);
  test::RecordShape large{.cell_bytes = 256u << 10, .data_bytes = 256u << 10},
      small{.cell_bytes = 4096, .data_bytes = 4096};
  uint64_t stream_chunk = bench.next_chunk;
  append_row(bench, "append 256 KiB, a sync every 16", 1, 1024, 16, large);
  append_row(bench, "append 256 KiB, a sync every 16, 4 clients", 4, 256, 16, large);
  append_row(bench, "append 8 KiB with sync, 1 client", 1, 1000, 1, small);
  append_row(bench, "append 8 KiB with sync, 8 clients", 8, 250, 1, small);
  append_row(bench, "append 8 KiB without sync, 1 client", 1, 4000, 4001, small);
  read_row(bench, stream_chunk, 256, 16, large);
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  spdlog::set_level(spdlog::level::warn);
  cairn::test::TemporaryDirectory temporary;
  cairn::run(argc > 1 ? argv[1] : temporary.path());
}
