// Creates per second through a whole metaserver: real log, RocksDB, loopback. Not a test: ./metaserver_bench [DIRECTORY
// [SECONDS]]
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>

#include "common/base/random.h"
#include "common/base/thread.h"
#include "common/rpc/meta_client.h"
#include "metaserver/metaserver.h"
#include "metaserver/store/rocks_store.h"
#include "tests/metaserver/temp_directory.h"

namespace cairn {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

uint64_t resident_mib() {
  std::ifstream status("/proc/self/statm");
  uint64_t pages = 0, resident = 0;
  status >> pages >> resident;
  return resident * 4096 >> 20;
}

struct Row {
  uint64_t calls = 0;
  double seconds = 0, cpu = 0;
  std::vector<int64_t> latencies_ns;
};

// Runs call(thread, i) on each thread for so long.
template <typename Call>
Row measure(int threads, Duration time, const Call& call) {
  std::vector<std::vector<int64_t>> latencies(static_cast<size_t>(threads));
  const Instant start = real_clock().now();
  const double cpu = cpu_seconds();
  {
    std::vector<Thread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back("bench", [&, t] {
        for (uint64_t i = 0;; ++i) {
          const Instant before = real_clock().now();
          if (before - start >= time) return;
          if (!call(t, i)) {
            fmt::print(stderr, "a call failed\n");
            std::exit(1);
          }
          latencies[static_cast<size_t>(t)].push_back((real_clock().now() - before).count());
        }
      });
    }
  }
  Row row;
  row.seconds = static_cast<double>((real_clock().now() - start).count()) / 1e9;
  row.cpu = cpu_seconds() - cpu;
  for (const auto& part : latencies) row.latencies_ns.insert(row.latencies_ns.end(), part.begin(), part.end());
  std::sort(row.latencies_ns.begin(), row.latencies_ns.end());
  row.calls = row.latencies_ns.size();
  return row;
}

void print(const char* what, int threads, const Row& row) {
  const auto percentile = [&](size_t p) {
    return row.calls == 0 ? 0 : row.latencies_ns[(row.calls - 1) * p / 100] / 1000;
  };
  fmt::print(
      "{:8} {:3} threads {:8.0f} /s   p50 {:6} us   p99 {:6} us   {:5.1f} us CPU each (client and server)   {} MiB "
      "resident\n",
      what, threads, static_cast<double>(row.calls) / row.seconds, percentile(50), percentile(99),
      row.cpu * 1e6 / static_cast<double>(std::max<uint64_t>(1, row.calls)), resident_mib());
}

// The scan over all chunks that `cairn status` needs, with 100,000 of them.
void time_status(MetaClient& meta) {
  const auto heartbeats = [&meta] {
    for (uint16_t i = 1; i <= 6; ++i) {
      (void)meta.heartbeat({.uuid = std::to_string(i),
                            .address = {"127.0.0.1", i},
                            .boot = BootId{1},
                            .labels = {"", "", std::to_string(i), ""},
                            .total_bytes = uint64_t{1} << 50,
                            .free_bytes = uint64_t{1} << 50,
                            .incarnation = {},
                            .shards = 0,
                            .bad_records = 0});
    }
  };
  for (int i = 0; i < 1563; ++i) {
    if (i % 100 == 0) heartbeats();
    if (const auto chunks = meta.grant_chunks({kDefaultClass, 64, {}}); !chunks.ok())
      return fmt::print(stderr, "{}\n", chunks.error().what);
  }
  heartbeats();
  const Instant start = real_clock().now();
  const auto status = meta.status();
  const int64_t us = (real_clock().now() - start).count() / 1000;
  if (!status.ok()) return fmt::print(stderr, "{}\n", status.error().what);
  fmt::print("status of {} chunks: {} ms, {} missing shards, {} MiB resident\n", status->chunks, us / 1000,
             status->missing_shards, resident_mib());
}

int run(const std::string& directory, Duration time) {
  spdlog::set_level(spdlog::level::warn);
  auto store = RocksStore::open({.directory = directory + "/store"});
  if (!store.ok()) return fmt::print(stderr, "{}\n", store.error().what), 1;
  MetaserverOptions options;
  options.listen = {"127.0.0.1", 0};
  options.log_directory = directory + "/log";
  options.seed = random_seed();
  Metaserver server(real_network(), real_clock(), real_disk(), **store, options);
  if (const Status started = server.start(); !started.ok()) return fmt::print(stderr, "{}\n", started.error().what), 1;
  MetaClient meta(real_network(), real_clock(), server.address());
  if (const auto grant =
          meta.open_session({.name = "bench", .host = "", .pid = 1, .mount = false, .nonce = random_seed()});
      !grant.ok())
    return 1;
  std::atomic<bool> done = false;
  Thread renewing("renew", [&] {
    while (!done) {
      (void)meta.renew_session();
      std::this_thread::sleep_for(1s);
    }
  });
  int runs = 0;
  for (const int threads : {1, 8, 64}) {
    std::vector<InodeId> directories;
    for (int t = 0; t < threads; ++t) {
      directories.push_back(meta.make_node({kRootInode, fmt::format("run{}-{}", runs, t), S_IFDIR | 0755, 0, 0, 0, ""})
                                ->attributes.inode);
    }
    ++runs;
    print(
        "create", threads, measure(threads, time, [&](int t, uint64_t i) {
          return meta
              .make_node({directories[static_cast<size_t>(t)], fmt::format("file-{}", i), S_IFREG | 0644, 0, 0, 0, ""})
              .ok();
        }));
    print("lookup", threads, measure(threads, time / 4, [&](int t, uint64_t i) {
            return meta.lookup(directories[static_cast<size_t>(t)], fmt::format("file-{}", i % 100)).ok();
          }));
  }
  time_status(meta);
  done = true;
  renewing.join();
  return server.stop().ok() ? 0 : 1;
}

}  // namespace
}  // namespace cairn

int main(int argc, char** argv) {
  const cairn::TempDirectory temporary;
  const int seconds = argc > 2 ? std::atoi(argv[2]) : 4;
  return cairn::run(argc > 1 ? argv[1] : temporary.path(), std::chrono::seconds(seconds));
}
