// The shards of a data directory, read straight from its disk beside the chunkserver that owns them: read-only.
//
//   (chunk, shard) --> shards/5f/000000000000125f-03[.open | .failed | -410000.sealed] --> header and cell
//
// What is committed at a place never changes, so reading needs no word with the chunkserver: a record that is there and
// verifies is the right one, whatever happens to the file's name meanwhile. Whether it verifies is for the caller to
// say (common/stripe/record_format.h). One thread. Files stay open, at most kOpenFiles of them: an instance lives as
// long as one task, so a shard that was removed does not keep its space for long. What is read may be dropped from the
// page cache before, so that it comes from the disk.
// Not here: shards of other servers, decoding (near_transport.h).
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "chunkserver/shard_name.h"
#include "common/base/disk.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

class LocalShards {
 public:
  static constexpr size_t kOpenFiles = 64;

  LocalShards(Disk& disk, const std::string& data_directory)
      : disk_(disk), shards_(data_directory + "/" + kShardsFolder) {}

  // From now on, bytes come from the disk and not from the page cache.
  void set_cold(bool cold) { cold_ = cold; }
  // Fills both spans as a chunkserver's answer would: zeros in holes and behind the end. not_found: the shard is not
  // here; io: the disk does not say.
  Status read(const ReadCall& call, std::span<uint8_t> header_into, std::span<uint8_t> cell_into);

 private:
  struct OpenFile {
    ShardKey key;
    std::shared_ptr<File> file;
  };
  Result<std::shared_ptr<File>> file(ShardKey key);
  Result<std::shared_ptr<File>> open(ShardKey key);
  Result<std::unique_ptr<File>> open_sealed(ShardKey key, const std::string& folder);

  bool cold_ = false;
  Disk& disk_;
  const std::string shards_;
  std::list<OpenFile> open_;  // the most recently used first
};

}  // namespace cairn
