#include "chunkserver/record_check.h"

#include <fmt/format.h>

namespace cairn {

uint64_t stored_bytes(const RecordHeader& header) {
  uint64_t blocks = (uint64_t{header.data_bytes} + kBlockBytes - 1) / kBlockBytes;
  return header.shape.header_bytes + blocks * kBlockBytes;
}

Status check_identity(const RecordHeader& header, const RecordPlace& where) {
  auto differs = [&](const char* field, uint64_t found, uint64_t expected) {
    return Status{Errc::corrupt, fmt::format("a record of {} at {:#x} says {} {:#x} instead of {:#x}", where.key.text(),
                                             where.place, field, found, expected)};
  };
  if (header.incarnation != where.incarnation)
    return differs("incarnation", raw(header.incarnation), raw(where.incarnation));
  if (header.chunk != where.key.chunk) return differs("chunk", raw(header.chunk), raw(where.key.chunk));
  if (header.shard != where.key.shard) return differs("shard", header.shard, where.key.shard);
  if (header.place != where.place) return differs("place", header.place, where.place);
  return {};
}

Status check_record(std::span<const uint8_t> record, const RecordPlace& where) {
  if (record.empty() || record.size() > kMaxRecordBytes) {
    return {Errc::invalid,
            fmt::format("a record of {} bytes; at most {} are possible", record.size(), kMaxRecordBytes)};
  }
  TRY(check_range(where.place, record.size()));
  auto header = decode_header(record);
  if (!header.ok()) return {Errc::invalid, "append to " + where.key.text() + ": " + header.error().what};
  Status identity = check_identity(*header, where);
  if (!identity.ok()) return {Errc::invalid, "append: " + identity.error().what};
  if (stored_bytes(*header) != record.size()) {
    return {Errc::invalid, fmt::format("append to {}: {} bytes came, but the record has {}", where.key.text(),
                                       record.size(), stored_bytes(*header))};
  }
  return {};
}

Status check_range(uint64_t place, uint64_t length) {
  if (place % kBlockBytes != 0 || length % kBlockBytes != 0) {
    return {Errc::invalid,
            fmt::format("range {:#x}+{:#x} of a shard is not in blocks of {}", place, length, kBlockBytes)};
  }
  if (place > kMaxShardBytes || length > kMaxShardBytes - place) {
    return {Errc::invalid,
            fmt::format("range {:#x}+{:#x} is beyond any shard's end {:#x}", place, length, kMaxShardBytes)};
  }
  return {};
}

}  // namespace cairn
