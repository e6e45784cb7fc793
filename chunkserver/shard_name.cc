#include "chunkserver/shard_name.h"

#include <fmt/format.h>

#include <charconv>

namespace cairn {
namespace {

// All of the text as a hexadecimal number. Case and leading zeros are settled by the comparison in parse_file_name().
std::optional<uint64_t> parse_hex(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  auto [last, failure] = std::from_chars(text.data(), end, value, 16);
  if (text.empty() || failure != std::errc{} || last != end) return std::nullopt;
  return value;
}

}  // namespace

const char* name_of(ShardState state) {
  switch (state) {
    case ShardState::open:
      return "open";
    case ShardState::failed:
      return "failed";
    case ShardState::sealed:
      return "sealed";
  }
  return "unknown";
}

std::string ShardKey::text() const { return fmt::format("chunk {:#x} shard {}", raw(chunk), shard); }

std::string folder_name(uint32_t folder) { return fmt::format("{:02x}", folder); }

std::string file_name(const ShardName& name) {
  if (name.state == ShardState::sealed) {
    return fmt::format("{:016x}-{:02x}-{:x}.sealed", raw(name.key.chunk), name.key.shard, name.committed);
  }
  return fmt::format("{:016x}-{:02x}.{}", raw(name.key.chunk), name.key.shard, name_of(name.state));
}

std::optional<ShardName> parse_file_name(std::string_view text) {
  constexpr size_t kChunkDigits = 16, kShardDigits = 2, kStem = kChunkDigits + 1 + kShardDigits;
  if (text.size() <= kStem || text[kChunkDigits] != '-') return std::nullopt;
  auto chunk = parse_hex(text.substr(0, kChunkDigits));
  auto shard = parse_hex(text.substr(kChunkDigits + 1, kShardDigits));
  if (!chunk || !shard) return std::nullopt;
  ShardName name{.key = {ChunkId{*chunk}, static_cast<uint8_t>(*shard)}};
  std::string_view rest = text.substr(kStem);
  if (rest == ".failed") name.state = ShardState::failed;
  if (rest.front() == '-') {
    size_t dot = rest.find('.');
    auto committed = dot == std::string_view::npos ? std::nullopt : parse_hex(rest.substr(1, dot - 1));
    if (!committed) return std::nullopt;
    name.state = ShardState::sealed;
    name.committed = *committed;
  }
  if (file_name(name) != text) return std::nullopt;
  return name;
}

}  // namespace cairn
