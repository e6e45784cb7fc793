#include "metaserver/log/log_format.h"

#include <fmt/format.h>

#include <cstring>

#include "common/base/bytes.h"
#include "common/base/checksum.h"

namespace cairn {
namespace {

constexpr std::string_view kSegmentMagic = "CAIRNLOG";
constexpr uint32_t kSegmentVersion = 1;
constexpr uint32_t kEntryMagic = 0x59544e45;  // the bytes "ENTY" on the disk
constexpr size_t kSegmentChecked = 40;        // bytes before the header's checksum
constexpr size_t kEntryChecked = 28;

uint32_t header_seed(const SegmentHeader& segment) { return static_cast<uint32_t>(segment.salt); }
uint32_t payload_seed(const SegmentHeader& segment) { return static_cast<uint32_t>(segment.salt >> 32); }

struct EntryHeader {
  uint32_t payload_bytes = 0;
  LogIndex first{};
  uint32_t count = 0;
  uint32_t payload_crc = 0;
};

std::optional<EntryHeader> decode_entry_header(const SegmentHeader& segment, std::span<const uint8_t> bytes) {
  if (bytes.size() < kEntryHeaderBytes) return std::nullopt;
  ByteReader in(bytes.first(kEntryHeaderBytes));
  if (in.u32() != kEntryMagic) return std::nullopt;
  EntryHeader header;
  header.payload_bytes = in.u32();
  header.first = LogIndex{in.u64()};
  header.count = in.u32();
  header.payload_crc = in.u32();
  (void)in.u32();  // reserved, written as zero, covered by the checksum
  if (in.u32() != crc32c(bytes.first(kEntryChecked), header_seed(segment))) return std::nullopt;
  return header;
}

// The offset of an entry header at or behind `from` that belongs to this segment and has at least this index.
std::optional<uint64_t> find_later_entry(const SegmentHeader& segment, std::span<const uint8_t> bytes, uint64_t from,
                                         LogIndex at_least) {
  uint8_t magic[4];
  for (size_t i = 0; i < 4; ++i) magic[i] = static_cast<uint8_t>(kEntryMagic >> (8 * i));
  for (uint64_t at = from; at + kEntryHeaderBytes <= bytes.size(); ++at) {
    const void* found = ::memmem(bytes.data() + at, bytes.size() - at, magic, sizeof magic);
    if (found == nullptr) return std::nullopt;
    at = static_cast<uint64_t>(static_cast<const uint8_t*>(found) - bytes.data());
    const auto header = decode_entry_header(segment, bytes.subspan(at));
    if (header && header->first >= at_least) return at;
  }
  return std::nullopt;
}

}  // namespace

std::string encode_segment_header(const SegmentHeader& header) {
  ByteWriter out;
  out.raw(kSegmentMagic)
      .u32(kSegmentVersion)
      .u32(kSegmentHeaderBytes)
      .u64(raw(header.incarnation))
      .u64(raw(header.first))
      .u64(header.salt);
  out.u32(crc32c(bytes_of(out.view()))).u32(0);
  return out.take();
}

Result<SegmentHeader> decode_segment_header(std::span<const uint8_t> bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return Error{Errc::corrupt, "the segment's header is incomplete"};
  ByteReader in(bytes.first(kSegmentHeaderBytes));
  if (text_of(in.raw(kSegmentMagic.size())) != kSegmentMagic)
    return Error{Errc::corrupt, "this is no log segment: its magic is missing"};
  const uint32_t version = in.u32();
  (void)in.u32();  // length of the header, fixed in version 1
  SegmentHeader header;
  header.incarnation = Incarnation{in.u64()};
  header.first = LogIndex{in.u64()};
  header.salt = in.u64();
  if (in.u32() != crc32c(bytes.first(kSegmentChecked)))
    return Error{Errc::corrupt, "the checksum of the segment's header is wrong"};
  if (in.u32() != 0) return Error{Errc::corrupt, "the reserved bytes of the segment's header are not zero"};
  if (version != kSegmentVersion) {
    return Error{Errc::not_supported,
                 fmt::format("log format {} is newer than this program's {}: start the newer cairn-metaserver", version,
                             kSegmentVersion)};
  }
  return header;
}

std::string encode_entry(const SegmentHeader& segment, LogIndex first, const std::vector<std::string>& commands) {
  ByteWriter out;
  out.zeros(kEntryHeaderBytes);
  for (const std::string& command : commands) out.string(command);
  const auto payload = bytes_of(out.view()).subspan(kEntryHeaderBytes);
  ByteWriter header;
  header.u32(kEntryMagic)
      .u32(static_cast<uint32_t>(payload.size()))
      .u64(raw(first))
      .u32(static_cast<uint32_t>(commands.size()));
  header.u32(crc32c(payload, payload_seed(segment))).u32(0);
  header.u32(crc32c(bytes_of(header.view()), header_seed(segment)));
  std::string entry = out.take();
  entry.replace(0, kEntryHeaderBytes, header.view());
  return entry;
}

Result<SegmentScan> scan_segment(const SegmentHeader& segment, std::span<const uint8_t> bytes,
                                 const VisitCommand& visit) {
  SegmentScan scan;
  scan.good_bytes = kSegmentHeaderBytes;
  scan.next = segment.first;
  const auto damaged = [&](std::string why, bool malformed = false) {
    scan.clean = false;
    scan.damage = std::move(why);
    scan.malformed = malformed;
    scan.later = find_later_entry(segment, bytes, scan.good_bytes + 1, scan.next);
    return scan;
  };
  while (scan.good_bytes < bytes.size()) {
    const auto rest = bytes.subspan(scan.good_bytes);
    const auto header = decode_entry_header(segment, rest);
    if (!header) return damaged("the entry's header is incomplete or its checksum is wrong");
    if (header->first != scan.next) {
      return damaged(fmt::format("the entry has index {} where {} must be", raw(header->first), raw(scan.next)), true);
    }
    if (rest.size() - kEntryHeaderBytes < header->payload_bytes) return damaged("the entry is incomplete");
    const auto payload = rest.subspan(kEntryHeaderBytes, header->payload_bytes);
    if (crc32c(payload, payload_seed(segment)) != header->payload_crc) return damaged("the entry's checksum is wrong");
    ByteReader in(payload);
    std::vector<std::span<const uint8_t>> commands;
    for (uint32_t i = 0; i < header->count && in.ok(); ++i) commands.push_back(in.raw(in.u32()));
    if (!in.done() || header->count == 0) return damaged("the entry's commands do not fill it", true);
    for (const auto command : commands) {
      TRY(visit(scan.next, command));
      scan.next = LogIndex{raw(scan.next) + 1};
    }
    scan.good_bytes += kEntryHeaderBytes + header->payload_bytes;
  }
  return scan;
}

}  // namespace cairn
