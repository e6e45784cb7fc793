// How a shard's file is called; the name carries its state, so that listing a directory is the whole index.
//
//   shards/5f/000000000000125f-03.open               takes appends
//   shards/5f/000000000000125f-03.failed             a write or sync failed: read only, for good
//   shards/5f/000000000000125f-03-410000.sealed      committed length 0x410000; bytes beyond it are garbage
//
// The folder is the low 8 bits of the chunk's id. All numbers are lower-case hexadecimal. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/types.h"

namespace cairn {

inline constexpr uint32_t kShardFolders = 256;
inline constexpr const char* kShardsFolder = "shards";  // in the data directory

struct ShardKey {
  ChunkId chunk{};
  uint8_t shard = 0;
  auto operator<=>(const ShardKey&) const = default;
  uint32_t folder() const { return static_cast<uint32_t>(raw(chunk) % kShardFolders); }
  std::string text() const;  // "chunk 0x125f shard 3", for messages
};

struct ShardKeyHash {
  size_t operator()(const ShardKey& key) const {
    return static_cast<size_t>((raw(key.chunk) * 0x9E3779B97F4A7C15ull) ^ (uint64_t{key.shard} << 17));
  }
};

enum class ShardState : uint8_t { open, failed, sealed };
const char* name_of(ShardState state);

struct ShardName {
  ShardKey key;
  ShardState state = ShardState::open;
  uint64_t committed = 0;  // of a sealed shard
  auto operator<=>(const ShardName&) const = default;
};

std::string folder_name(uint32_t folder);      // "5f"; requires folder < kShardFolders
std::string file_name(const ShardName& name);  // without the folder
// Nothing unless the text is exactly what file_name() makes of some name.
std::optional<ShardName> parse_file_name(std::string_view text);

}  // namespace cairn
