// Whether what came for a shard is a record of it: the cheap part, without the cell's checksums.
//
// A chunkserver checks a record's identity so that a confused client cannot put one where it does not belong; whether
// the cell's bytes are right is checked end to end by the clients and by the scrub (common/stripe/record_format.h).
// Pure.
#pragma once

#include <cstdint>
#include <span>

#include "chunkserver/shard_name.h"
#include "common/base/result.h"
#include "common/base/types.h"
#include "common/stripe/record_format.h"

namespace cairn {

inline constexpr uint32_t kMaxRecordBytes = kMaxHeaderBytes + kMaxCellBytes;

// Where a record should lie.
struct RecordPlace {
  Incarnation incarnation{};
  ShardKey key;
  uint64_t place = 0;
};

// The bytes that a record with this header occupies: its header and the started blocks of its cell.
uint64_t stored_bytes(const RecordHeader& header);
// A header says that it lies at this place. corrupt, naming the field, otherwise.
Status check_identity(const RecordHeader& header, const RecordPlace& where);
// An append's bytes are exactly one record for this place. invalid, with the reason, otherwise.
Status check_record(std::span<const uint8_t> record, const RecordPlace& where);
// Bounds of a range of a shard: multiples of 4096 within kMaxShardBytes. invalid otherwise.
Status check_range(uint64_t place, uint64_t length);

}  // namespace cairn
