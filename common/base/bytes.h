// Encoding by hand: fields of records, commands, keys and values, one after the other.
//
//   ByteWriter out;                              ByteReader in(bytes);
//   out.u32(kMagic).u64(raw(inode)).string(s);   const uint32_t magic = in.u32(); ... in.string(255);
//                                                if (!in.done()) return Error{...};
//
// Integers are little-endian; the *_be forms are big-endian, for keys that must sort by value. The reader never
// overruns: from the first field that does not fit it gives zeros and empty strings, and ok() is false for ever. So a
// decoder reads all its fields and asks once, but asks before it loops or allocates by a number that it has read.
// Not here: checksums (checksum.h), the layout of records (common/stripe/record_format.h).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace cairn {

inline std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Appends to a string that it owns: the form in which RocksDB, the log and Thrift take bytes.
class ByteWriter {
 public:
  ByteWriter() = default;
  explicit ByteWriter(std::string start) : out_(std::move(start)) {}

  ByteWriter& u8(uint8_t value) { return little(value); }
  ByteWriter& u16(uint16_t value) { return little(value); }
  ByteWriter& u32(uint32_t value) { return little(value); }
  ByteWriter& u64(uint64_t value) { return little(value); }
  ByteWriter& i64(int64_t value) { return little(static_cast<uint64_t>(value)); }
  ByteWriter& boolean(bool value) { return u8(value ? 1 : 0); }
  ByteWriter& u16_be(uint16_t value) { return big(value); }
  ByteWriter& u32_be(uint32_t value) { return big(value); }
  ByteWriter& u64_be(uint64_t value) { return big(value); }
  // A u32 length and the bytes.
  ByteWriter& string(std::string_view text) { return u32(static_cast<uint32_t>(text.size())).raw(text); }
  // The bytes alone: for keys, and where the length is known otherwise.
  ByteWriter& raw(std::string_view text) {
    out_.append(text);
    return *this;
  }
  ByteWriter& raw(std::span<const uint8_t> bytes) { return raw(text_of(bytes)); }
  ByteWriter& zeros(size_t count) {
    out_.append(count, '\0');
    return *this;
  }
  // Overwrites four earlier bytes: a length or checksum that is known only at the end.
  void patch_u32(size_t at, uint32_t value);

  size_t size() const { return out_.size(); }
  const std::string& view() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  // The byte order is spelled out, and compiles to a single store on a little-endian machine.
  template <typename Unsigned>
  ByteWriter& little(Unsigned value) {
    char bytes[sizeof value];
    for (size_t i = 0; i < sizeof value; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
    out_.append(bytes, sizeof value);
    return *this;
  }
  template <typename Unsigned>
  ByteWriter& big(Unsigned value) {
    char bytes[sizeof value];
    for (size_t i = 0; i < sizeof value; ++i) bytes[i] = static_cast<char>(value >> (8 * (sizeof value - 1 - i)));
    out_.append(bytes, sizeof value);
    return *this;
  }

  std::string out_;
};

// Reads bytes that it does not own and that outlive it and what string_view() and raw() return.
class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : rest_(bytes) {}
  explicit ByteReader(std::string_view text) : rest_(bytes_of(text)) {}

  uint8_t u8() { return little<uint8_t>(); }
  uint16_t u16() { return little<uint16_t>(); }
  uint32_t u32() { return little<uint32_t>(); }
  uint64_t u64() { return little<uint64_t>(); }
  int64_t i64() { return static_cast<int64_t>(u64()); }
  bool boolean();  // any byte but 0 and 1 is not ok
  uint16_t u16_be() { return big<uint16_t>(); }
  uint32_t u32_be() { return big<uint32_t>(); }
  uint64_t u64_be() { return big<uint64_t>(); }
  // A length-prefixed string of at most max_bytes; longer is not ok.
  std::string_view string_view(size_t max_bytes);
  std::string string(size_t max_bytes) { return std::string(string_view(max_bytes)); }
  std::span<const uint8_t> raw(size_t count);
  std::span<const uint8_t> rest() { return raw(rest_.size()); }
  // For the number of items of a list, each at least min_item_bytes long: more than can follow is not ok, so that
  // reserve(count) is bounded by the input.
  uint32_t count(size_t min_item_bytes);

  void fail() { ok_ = false; }  // the caller saw a value that may not be
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }  // all read, nothing left over
  size_t remaining() const { return rest_.size(); }

 private:
  template <typename Unsigned>
  Unsigned little() {
    const auto bytes = raw(sizeof(Unsigned));
    Unsigned value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) value = static_cast<Unsigned>(value | Unsigned{bytes[i]} << (8 * i));
    return value;
  }
  template <typename Unsigned>
  Unsigned big() {
    const auto bytes = raw(sizeof(Unsigned));
    Unsigned value = 0;
    for (const uint8_t byte : bytes) value = static_cast<Unsigned>((uint64_t{value} << 8) | byte);
    return value;
  }

  std::span<const uint8_t> rest_;
  bool ok_ = true;
};

}  // namespace cairn
