// Checks of single wire fields that several messages share. Only for wire*.cc.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/types.h"
#include "common/meta/attributes.h"
#include "common/meta/cluster.h"
#include "common/rpc/wire.h"
#include "common/stripe/geometry.h"

namespace cairn::wire_checks {

inline constexpr uint32_t kMaxLabelBytes = 255;         // of a host, site, rack, uuid or class name
inline constexpr uint32_t kMaxDescriptionBytes = 4096;  // of a session's name

inline Error invalid(std::string what) { return {Errc::invalid, std::move(what)}; }

inline Status check_text(std::string_view field, std::string_view text, size_t limit) {
  if (text.size() > limit)
    return Error{Errc::too_big, fmt::format("a {} of {} bytes; at most {}", field, text.size(), limit)};
  if (text.find('\0') != std::string_view::npos) return invalid(fmt::format("a {} with a zero byte", field));
  return {};
}
inline Status check_size(const char* field, size_t bytes, size_t limit) {
  if (bytes > limit) return Error{Errc::too_big, fmt::format("{} of {} bytes; at most {}", field, bytes, limit)};
  return {};
}
inline Status check_between(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) return invalid(fmt::format("{} {}; it is {} to {}", field, value, low, high));
  return {};
}
inline Status check_count(const char* field, int64_t value) { return check_between(field, value, 0, INT64_MAX); }
inline Status check_inode(int64_t inode) { return inode == 0 ? Status(invalid("inode 0")) : Status(); }
inline Status check_chunk(int64_t chunk) { return chunk == 0 ? Status(invalid("chunk 0")) : Status(); }
inline Status check_shard(int16_t shard) {
  if (shard < 0 || shard >= static_cast<int16_t>(kMaxDataShards + kMaxParityShards))
    return invalid(fmt::format("shard {}", shard));
  return {};
}
inline Status check_place(int64_t place) {
  if (place < 0 || place > static_cast<int64_t>(kMaxShardBytes) || place % kBlockBytes != 0) {
    return invalid(fmt::format("place {}", place));
  }
  return {};
}
inline Status check_cell(int32_t bytes) {
  if (bytes <= 0 || bytes > static_cast<int32_t>(kMaxCellBytes) || bytes % static_cast<int32_t>(kBlockBytes) != 0) {
    return invalid(fmt::format("a cell of {} bytes", bytes));
  }
  return {};
}

// Labels stand as four fields in two messages.
template <typename Generated>
Result<Labels> labels_from(const Generated& wire) {
  TRY(check_text("site", wire.site, kMaxLabelBytes));
  TRY(check_text("rack", wire.rack, kMaxLabelBytes));
  TRY(check_text("host", wire.host, kMaxLabelBytes));
  TRY(check_text("disk", wire.disk, kMaxLabelBytes));
  return Labels{wire.site, wire.rack, wire.host, wire.disk};
}

// The reply's own error passes through. Values that are not as promised are the other side's fault: io, never the
// caller's `invalid`.
template <typename Reply, typename Unpack>
auto unpack(const Reply& reply, bool complete, Unpack&& value) -> decltype(value()) {
  if (reply.__isset.error) return from_wire(reply.error);
  if (!complete) return Error{Errc::io, "a reply with neither an error nor its value"};
  auto result = value();
  if (!result.ok()) return Error{Errc::io, "a malformed reply: " + result.error().what};
  return result;
}

}  // namespace cairn::wire_checks
