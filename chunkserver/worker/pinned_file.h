// The bytes of a file as a job has pinned it: at one version, whatever is written to it meanwhile.
//
//   [from, to) --> extents (a page of the pinned layout at a time) --> NearTransport, common/stripe/stripe_reader.h
//              --> inline content, or zeros in holes
//
// Where a chunk's shards lie may change while a job runs (repair): a range that cannot be read is tried once more with
// a fresh page. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/meta/cluster.h"
#include "common/stripe/geometry.h"
#include "common/stripe/shard_calls.h"

namespace cairn {

// A part of a pinned file's layout: all extents that touch [from, covered_until), in order.
struct PinnedPage {
  std::vector<Extent> extents;
  std::vector<ChunkInfo> chunks;           // that they name
  std::optional<std::string> inline_data;  // all of a file that has no extents
  uint64_t covered_until = 0;
};

class PinnedFile {
 public:
  using FetchPage = std::function<Result<PinnedPage>(uint64_t from)>;
  struct Counts {
    uint64_t bytes = 0;          // read
    uint64_t decoded_bytes = 0;  // of these, rebuilt from other shards
  };

  PinnedFile(std::string name, uint64_t size, ShardTransport& transport, Clock& clock, FetchPage fetch)
      : name_(std::move(name)), size_(size), transport_(transport), clock_(clock), fetch_(std::move(fetch)) {}

  uint64_t size() const { return size_; }
  // Fills out with the bytes from that offset on. Requires from + out.size() <= size(). io: too few good shards; other
  // errors are those of the page. All name the file and the offset.
  Status read(uint64_t from, std::span<uint8_t> out);
  const Counts& counts() const { return counts_; }

 private:
  Status read_once(uint64_t from, std::span<uint8_t> out);
  Status load(uint64_t from);
  Status read_extent_part(const Extent& part, std::span<uint8_t> out);

  const std::string name_;
  const uint64_t size_;
  ShardTransport& transport_;
  Clock& clock_;
  const FetchPage fetch_;
  uint64_t page_from_ = 0;  // the page holds [page_from_, page_.covered_until); empty: none is held
  PinnedPage page_;
  std::unordered_map<ChunkId, const ChunkInfo*> chunks_;  // of page_
  Counts counts_;
};

}  // namespace cairn
