// The bytes of a log segment. docs/metaserver_format.md has the tables.
//
//   segment  | header 48 bytes | entry | entry | ...
//   entry    | header 32 bytes | payload: for each command [u32 length][bytes] |
//
// Integers are little-endian. An entry is one batch of commands with consecutive indexes, written and synced as one.
// Checksums are seeded with the segment's salt, a random number: bytes that a user put into a command, or that an older
// file left on the disk, are never taken for an entry of this segment.
// Pure, any thread. Not here: files, order of syncs, what to do about damage (command_log.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/types.h"

namespace cairn {

inline constexpr uint64_t kSegmentHeaderBytes = 48;
inline constexpr uint64_t kEntryHeaderBytes = 32;
inline constexpr uint64_t kMaxEntryPayloadBytes = 64u << 20;

struct SegmentHeader {
  Incarnation incarnation{};
  LogIndex first{};  // index of the segment's first command
  uint64_t salt = 0;
  bool operator==(const SegmentHeader&) const = default;
};

std::string encode_segment_header(const SegmentHeader& header);
// corrupt: not a whole, valid header; not_supported: of a later version.
Result<SegmentHeader> decode_segment_header(std::span<const uint8_t> bytes);

// One batch. Requires at least one command and a payload of at most kMaxEntryPayloadBytes.
std::string encode_entry(const SegmentHeader& segment, LogIndex first, const std::vector<std::string>& commands);

// What a segment's bytes hold.
struct SegmentScan {
  uint64_t good_bytes = 0;        // header and whole entries: a cut here loses none of them
  LogIndex next{};                // index that the next entry must have
  bool clean = true;              // nothing follows the good bytes
  std::string damage;             // why it ends there, for a person
  std::optional<uint64_t> later;  // offset of an entry behind the damage: so the damage is not the last write's
  bool malformed = false;         // the checksum is right and the content impossible: never a torn write
};
// Walks the entries of a segment whose header was decoded. visit gets each command of a whole entry in order and may
// stop the walk with an error, which is returned.
using VisitCommand = std::function<Status(LogIndex index, std::span<const uint8_t> command)>;
Result<SegmentScan> scan_segment(const SegmentHeader& segment, std::span<const uint8_t> bytes,
                                 const VisitCommand& visit);

}  // namespace cairn
