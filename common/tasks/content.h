// Contents that a test can make again: each byte is a function of seed, file, round and size.
//
//   base     mix64(seed ^ mix64(file ^ mix64(round)))                     mix64: one step of splitmix64
//   bytes    word i, 8 bytes little-endian: mix64(base + i)               the last one is cut
//   text     line i: 1 to 8 of kWords, by the bits of mix64(base + i)     the last one is cut, and ends with \n
//   csv      kHeader, then record i: id,group,amount,note                 the last one's note is longer
//
// For one thread. docs/tasks.md tells the same to people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace cairn::tasks {

enum class ContentKind : uint8_t { bytes, text, csv };
Result<ContentKind> parse_content_kind(std::string_view text);  // invalid

struct ContentOf {
  ContentKind kind = ContentKind::bytes;
  uint64_t seed = 0, file = 0, round = 0;
  uint64_t size = 0;  // of csv: 0, or at least kMinCsvBytes
};

class Content {
 public:
  static constexpr uint64_t kMinCsvBytes = 64;
  explicit Content(const ContentOf& of);
  // The next bytes, about a MiB at most; empty at the end. Valid until the next call.
  std::string_view next();

 private:
  void add_words(uint64_t bytes);
  void add_line(uint64_t left);
  void add_record(uint64_t left);

  const ContentOf of_;
  const uint64_t base_;
  uint64_t made_ = 0;   // bytes
  uint64_t index_ = 0;  // of the next word, line or record
  std::string piece_;
};

}  // namespace cairn::tasks
