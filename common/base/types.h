// Strong ids and the few value types that every part speaks in.
//
// An id is its own type, so that a chunk is never looked up as an inode. raw() unwraps one where it is
// encoded or printed.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>

namespace cairn {

enum class InodeId : uint64_t {};      // 1 is the root; never reused
enum class ChunkId : uint64_t {};      // never reused within an incarnation; 0 is none
enum class ServerId : uint32_t {};     // a chunkserver, given by the metaserver; 0 is none
enum class SessionId : uint64_t {};    // a mount or tool; never reused; 0 is none
enum class RequestId : uint64_t {};    // ascending within a session, from 1
enum class ClassId : uint32_t {};      // a storage class; 0 means inherited
enum class LogIndex : uint64_t {};     // position of a command in the log, from 1
enum class Epoch : uint64_t {};        // of the cluster map or of a writer; ascending
enum class Incarnation : uint64_t {};  // random, new with every created or restored database
enum class BootId : uint64_t {};       // random, new with every start of a chunkserver

inline constexpr InodeId kRootInode{1};
inline constexpr uint32_t kBlockBytes = 4096;        // the unit of checksums, cells and places
inline constexpr uint32_t kMaxCellBytes = 1u << 20;  // 1 MiB
inline constexpr uint32_t kMaxDataShards = 32;
inline constexpr uint32_t kMaxParityShards = 8;
inline constexpr uint64_t kChunkDataBytes = 64u << 20;  // data of one chunk, at most

template <typename Id>
requires std::is_enum_v<Id>
constexpr auto raw(Id id) { return static_cast<std::underlying_type_t<Id>>(id); }

// Where a server listens. host is a name or a numeric address.
struct Address {
  std::string host;
  uint16_t port = 0;
  auto operator<=>(const Address&) const = default;
  // As parse_address() (config.h) takes it: an IPv6 address stands in brackets.
  std::string text() const {
    const bool brackets = host.find(':') != std::string::npos;
    return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
};

// A Reed-Solomon code: any d of the d + m shards give back the data.
struct Code {
  uint8_t d = 1;  // data shards, 1 .. 32
  uint8_t m = 0;  // parity shards, 0 .. 8
  auto operator<=>(const Code&) const = default;
  uint32_t shards() const { return uint32_t{d} + m; }
};

}  // namespace cairn
