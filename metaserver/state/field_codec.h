// One list of fields for each struct, from which it is both written and read.
//
//   template <Of<LinkNode> V> auto fields(V& v) { return std::tie(v.inode, v.parent, v.name); }
//
// Order and types of a list are a format: a change needs a new version of what contains it (command_codec.h, rows.h).
// Integers and ids little-endian in their full width, enums as their integer, strings and lists behind a u32 count, an
// optional behind a 0 or 1, structs field by field, maps as lists of keys and values with ascending keys.
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/meta/attributes.h"
#include "common/meta/cluster.h"
#include "common/meta/session.h"
#include "common/stripe/geometry.h"

namespace cairn {

template <typename V, typename T>
concept Of = std::same_as<std::remove_const_t<V>, T>;

template <Of<std::monostate> V>
auto fields(V&) {
  return std::tuple<>();
}
template <Of<Time> V>
auto fields(V& v) {
  return std::tie(v.seconds, v.nanoseconds);
}
template <Of<Error> V>
auto fields(V& v) {
  return std::tie(v.code, v.what);
}
template <Of<Code> V>
auto fields(V& v) {
  return std::tie(v.d, v.m);
}
template <Of<Address> V>
auto fields(V& v) {
  return std::tie(v.host, v.port);
}
template <Of<Labels> V>
auto fields(V& v) {
  return std::tie(v.site, v.rack, v.host, v.disk);
}
template <Of<StripeShape> V>
auto fields(V& v) {
  return std::tie(v.code, v.cell_bytes, v.header_bytes, v.present);
}
template <Of<Extent> V>
auto fields(V& v) {
  return std::tie(v.offset, v.length, v.chunk, v.place, v.position, v.shape);
}
template <Of<SessionRequest> V>
auto fields(V& v) {
  return std::tie(v.name, v.host, v.pid, v.mount, v.nonce);
}
template <Of<StorageClass> V>
auto fields(V& v) {
  return std::tie(v.id, v.name, v.policy, v.cell_bytes, v.failure_domain);
}
template <Of<Attributes> V>
auto fields(V& v) {
  return std::tie(v.inode, v.version, v.mode, v.links, v.uid, v.gid, v.size, v.stored, v.rdev, v.atime, v.mtime,
                  v.ctime, v.storage_class, v.generation);
}
template <Of<ChunkInfo> V>
auto fields(V& v) {
  return std::tie(v.chunk, v.storage_class, v.code, v.servers, v.sealed, v.committed, v.writer_epoch, v.incarnation,
                  v.live_bytes, v.cell_bytes, v.shard_limit);
}

class FieldWriter {
 public:
  template <typename T>
  FieldWriter& write(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      write(raw(value));
    } else if constexpr (std::same_as<T, bool>) {
      out_.boolean(value);
    } else if constexpr (std::integral<T>) {
      integer(static_cast<std::make_unsigned_t<T>>(value));
    } else if constexpr (std::same_as<T, std::string>) {
      out_.string(value);
    } else {
      compound(value);
    }
    return *this;
  }
  std::string take() { return out_.take(); }

 private:
  template <std::unsigned_integral U>
  void integer(U value) {
    if constexpr (sizeof(U) == 1) out_.u8(value);
    if constexpr (sizeof(U) == 2) out_.u16(value);
    if constexpr (sizeof(U) == 4) out_.u32(value);
    if constexpr (sizeof(U) == 8) out_.u64(value);
  }
  template <typename T>
  void compound(const std::vector<T>& list) {
    out_.u32(static_cast<uint32_t>(list.size()));
    for (const T& item : list) write(item);
  }
  template <typename Key, typename T>
  void compound(const std::map<Key, T>& map) {
    out_.u32(static_cast<uint32_t>(map.size()));
    for (const auto& [key, value] : map) write(key).write(value);
  }
  template <typename T>
  void compound(const std::optional<T>& value) {
    out_.boolean(value.has_value());
    if (value) write(*value);
  }
  template <typename T>
  void compound(const T& value) {
    std::apply([this](const auto&... field) { (write(field), ...); }, fields(value));
  }

  ByteWriter out_;
};

// After the first field that does not fit, everything reads as zero and done() is false.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : in_(bytes) {}

  template <typename T>
  T read() {
    T value{};
    read(value);
    return value;
  }
  template <typename T>
  void read(T& value) {
    if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(read<std::underlying_type_t<T>>());
    } else if constexpr (std::same_as<T, bool>) {
      value = in_.boolean();
    } else if constexpr (std::integral<T>) {
      value = static_cast<T>(integer<std::make_unsigned_t<T>>());
    } else if constexpr (std::same_as<T, std::string>) {
      value = in_.string(in_.remaining());
    } else {
      compound(value);
    }
  }
  void fail() { in_.fail(); }
  bool ok() const { return in_.ok(); }
  bool done() const { return in_.done(); }

 private:
  template <std::unsigned_integral U>
  U integer() {
    if constexpr (sizeof(U) == 1) return in_.u8();
    if constexpr (sizeof(U) == 2) return in_.u16();
    if constexpr (sizeof(U) == 4) return in_.u32();
    if constexpr (sizeof(U) == 8) return in_.u64();
  }
  template <typename T>
  void compound(std::vector<T>& list) {
    // Each item takes at least one byte, so the list grows no longer than the input.
    for (uint32_t left = in_.count(1); left > 0 && in_.ok(); --left) list.push_back(read<T>());
  }
  template <typename Key, typename T>
  void compound(std::map<Key, T>& map) {
    for (uint32_t left = in_.count(1); left > 0 && in_.ok(); --left) {
      Key key = read<Key>();
      if (!map.empty() && !(map.rbegin()->first < key)) fail();
      map.emplace_hint(map.end(), std::move(key), read<T>());
    }
  }
  template <typename T>
  void compound(std::optional<T>& value) {
    if (in_.boolean()) value = read<T>();
  }
  template <typename T>
  void compound(T& value) {
    std::apply([this](auto&... field) { (read(field), ...); }, fields(value));
  }

  ByteReader in_;
};

}  // namespace cairn
