// Files into partitions: how many there are, and which file is in which.
//
//   count:10    so many, of neighbouring files in their order, as even in bytes as that allows
//   bytes:1G    bins of at most so many bytes; a larger file has one of its own
//   locality    one for each server: of the files of which it holds most
//
// Pure: the same files and rule give the same partitions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace cairn::tasks {

struct PartitionRule {
  enum class Kind : uint8_t { count, bytes, locality } kind = Kind::count;
  uint64_t number = 0;  // of partitions, or of bytes; > 0
};
Result<PartitionRule> parse_partition_rule(std::string_view text);  // invalid

struct PartitionedFile {
  uint64_t bytes = 0;
  uint64_t holder = 0;  // for locality: the server that holds most of it; 0: nobody
};
// The partition of each file, numbered from 0 in the order of their first files.
std::vector<uint32_t> partition(const PartitionRule& rule, const std::vector<PartitionedFile>& files);

}  // namespace cairn::tasks
