// One metaserver and some chunkservers in this process, over loopback, in a directory of its own: what the client's
// tests run against.
//
// A killed server is destroyed; starting it again uses the same directory and port. One thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "chunkserver/chunkserver.h"
#include "client/filesystem.h"
#include "metaserver/metaserver.h"
#include "metaserver/store/rocks_store.h"
#include "tests/metaserver/temp_directory.h"

namespace cairn::test {

class Cluster {
 public:
  struct Options {
    uint32_t chunkservers = 6;
    Code policy{4, 2};
    uint32_t cell_bytes = 256 << 10;
    Duration quarantine = 60s;
    Duration session_ttl = 4s;       // how long a mount waits for one that crashed
    uint32_t most_listed = 100'000;  // inodes of a session
    Duration down_after = 10min;     // of a silent chunkserver
  };
  Cluster() : Cluster(Options{}) {}
  explicit Cluster(Options options);
  ~Cluster();

  void start_metaserver();
  void kill_metaserver() {
    metaserver_.reset();
    store_.reset();
  }
  void start_chunkserver(uint32_t index);
  void kill_chunkserver(uint32_t index) { chunkservers_[index].reset(); }
  Address metaserver() const { return address_; }
  uint64_t shards_of(uint32_t index) { return chunkservers_[index]->store().shards(); }
  const std::string& directory() const { return directory_.path(); }

  std::unique_ptr<Filesystem> mount(FilesystemOptions options = {});

 private:
  TempDirectory directory_;
  const Options options_;
  uint64_t seed_ = 1000;
  Address address_{"127.0.0.1", 0};
  std::vector<Address> chunk_addresses_;
  std::unique_ptr<RocksStore> store_;
  std::unique_ptr<Metaserver> metaserver_;
  std::vector<std::unique_ptr<Chunkserver>> chunkservers_;
};

// Fails the test with the error's words.
template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(std::string(name_of(result.code())) + ": " + result.error().what);
  return std::move(result).value();
}
inline void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(std::string(name_of(status.code())) + ": " + status.error().what);
}

std::vector<uint8_t> pattern(uint64_t seed, size_t bytes);
std::vector<uint8_t> read_all(Filesystem& filesystem, InodeId inode);
MakeNode file_node(const std::string& name, InodeId parent = kRootInode);
MakeNode directory_node(const std::string& name, InodeId parent = kRootInode);

}  // namespace cairn::test
