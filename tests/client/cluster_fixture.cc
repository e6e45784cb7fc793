#include "tests/client/cluster_fixture.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "common/base/random.h"

namespace cairn::test {

Cluster::Cluster(Options options) : options_(options) {
  start_metaserver();
  chunkservers_.resize(options_.chunkservers);
  chunk_addresses_.resize(options_.chunkservers, {"127.0.0.1", 0});
  for (uint32_t i = 0; i < options_.chunkservers; ++i) start_chunkserver(i);
}

Cluster::~Cluster() {
  chunkservers_.clear();
  kill_metaserver();
}

void Cluster::start_metaserver() {
  store_ = must(RocksStore::open({.directory = directory_.path() + "/store"}));
  MetaserverOptions options;
  options.listen = address_;
  options.log_directory = directory_.path() + "/log";
  options.seed = ++seed_;
  options.quarantine = options_.quarantine;
  options.session_ttl = options_.session_ttl;
  options.most_listed = options_.most_listed;
  options.health.down_after = options_.down_after;
  options.housekeeping = std::min<Duration>(options.housekeeping, options_.quarantine / 4);
  options.default_class.policy = options_.policy;
  options.default_class.cell_bytes = options_.cell_bytes;
  metaserver_ = std::make_unique<Metaserver>(real_network(), real_clock(), real_disk(), *store_, options);
  must(metaserver_->start());
  address_ = metaserver_->address();
}

void Cluster::start_chunkserver(uint32_t index) {
  ChunkserverOptions options;
  options.data = fmt::format("{}/chunks{}", directory_.path(), index);
  options.listen = chunk_addresses_[index];
  options.metaserver = address_;
  options.labels = {"site", "rack", fmt::format("host{}", index), "0"};
  chunkservers_[index] = std::make_unique<Chunkserver>(real_network(), real_clock(), real_disk(), options, ++seed_);
  must(chunkservers_[index]->start());
  chunk_addresses_[index] = chunkservers_[index]->address();
  if (!chunkservers_[index]->wait_until_registered(real_clock().now() + 30s))
    throw std::runtime_error("a chunkserver was not registered");
}

std::unique_ptr<Filesystem> Cluster::mount(FilesystemOptions options) {
  options.metaserver = address_;
  return must(Filesystem::mount(real_network(), real_clock(), options));
}

std::vector<uint8_t> pattern(uint64_t seed, size_t bytes) {
  Random random(seed);
  std::vector<uint8_t> made(bytes);
  for (size_t i = 0; i < bytes; i += 8) {
    const uint64_t word = random();
    for (size_t j = i; j < std::min(bytes, i + 8); ++j) made[j] = static_cast<uint8_t>(word >> (8 * (j - i)));
  }
  return made;
}

std::vector<uint8_t> read_all(Filesystem& filesystem, InodeId inode) {
  std::vector<uint8_t> all(must(filesystem.get_attributes(inode)).size);
  for (size_t at = 0; at < all.size();) {
    const size_t count =
        must(filesystem.read(inode, at, std::span(all).subspan(at, std::min<size_t>(all.size() - at, 1 << 20))));
    if (count == 0) throw std::runtime_error("a file ends before its size");
    at += count;
  }
  return all;
}

MakeNode file_node(const std::string& name, InodeId parent) { return {parent, name, S_IFREG | 0644, 0, 0, 0, {}}; }
MakeNode directory_node(const std::string& name, InodeId parent) { return {parent, name, S_IFDIR | 0755, 0, 0, 0, {}}; }

}  // namespace cairn::test
