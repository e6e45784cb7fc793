// Sequential and small-file throughput through the library, without FUSE: prints figures; not a test.
//
//   client_bench [MiB]
#include <fmt/format.h>

#include <cstdlib>

#include "tests/client/cluster_fixture.h"

namespace cairn {
namespace {

using test::must;

double seconds_of(const std::function<void()>& body) {
  const Instant start = real_clock().now();
  body();
  return static_cast<double>((real_clock().now() - start).count()) / 1e9;
}

void sequential(Filesystem& filesystem, uint64_t mebibytes, const std::vector<uint8_t>& data) {
  const auto made = must(filesystem.create(test::file_node("sequential")));
  const InodeId inode = made.entry.attributes.inode;
  const double write = seconds_of([&] {
    for (uint64_t i = 0; i < mebibytes; ++i) must(filesystem.write(inode, i << 20, data));
    must(filesystem.sync(inode));
  });
  fmt::print("sequential write {} MiB: {:.0f} MiB/s, fsync included\n", mebibytes,
             static_cast<double>(mebibytes) / write);
  std::vector<uint8_t> into(128 << 10);
  const double read = seconds_of([&] {
    for (uint64_t at = 0; at < mebibytes << 20; at += into.size()) must(filesystem.read(inode, at, into));
  });
  fmt::print("sequential read  {} MiB in 128 KiB: {:.0f} MiB/s\n", mebibytes, static_cast<double>(mebibytes) / read);
  const double random = seconds_of([&] {
    for (uint64_t i = 0; i < 2000; ++i)
      must(filesystem.read(inode, (i * 7919 * 4096) % (mebibytes << 20), std::span(into).first(4096)));
  });
  fmt::print("random read 4 KiB: {:.0f}/s\n", 2000 / random);
}

void small_files(Filesystem& filesystem, const std::vector<uint8_t>& data) {
  constexpr int kFiles = 2000;
  const InodeId directory = must(filesystem.make_node(test::directory_node("small"))).attributes.inode;
  const double create = seconds_of([&] {
    for (int i = 0; i < kFiles; ++i) {
      const auto made = must(filesystem.create(test::file_node(fmt::format("f{}", i), directory)));
      must(filesystem.write(made.entry.attributes.inode, 0, std::span(data).first(16384)));
      must(filesystem.release(made.handle));
    }
    must(filesystem.sync_all());
  });
  fmt::print("create + write 16 KiB + close: {:.0f} files/s, sync_all included\n", kFiles / create);
  const auto log = must(filesystem.create(test::file_node("log")));
  const double synced = seconds_of([&] {
    for (int i = 0; i < 500; ++i) {
      must(filesystem.write(log.entry.attributes.inode, static_cast<uint64_t>(i) * 4096, std::span(data).first(4096)));
      must(filesystem.sync(log.entry.attributes.inode));
    }
  });
  fmt::print("write 4 KiB + fsync: {:.0f}/s\n", 500 / synced);
}

int run(uint64_t mebibytes) {
  test::Cluster cluster;
  auto filesystem = cluster.mount();
  const std::vector<uint8_t> data = test::pattern(1, 1 << 20);
  sequential(*filesystem, mebibytes, data);
  small_files(*filesystem, data);
  must(filesystem->close());
  fmt::print("{}\n", filesystem->statistics_json());
  return 0;
}

}  // namespace
}  // namespace cairn

int main(int count, char** arguments) {
  return cairn::run(count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1024);
}
