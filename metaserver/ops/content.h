// What the operations on a file's data share: inline content beside extents, sizes and times.
//
// A file has inline content or extents, never both. Whatever neither covers reads as zeros up to the size.
#pragma once

#include "metaserver/ops/operation.h"

namespace cairn::ops {

Status check_time(const Time& time);  // invalid: nanoseconds out of range

Result<std::string> read_content(Operation& operation, const InodeRow& inode);
// The content becomes exactly these bytes; empty: none is kept.
void write_content(Operation& operation, InodeRow& inode, std::string content);

// Sets the size of a regular file; what is behind a smaller one is gone for good and would read as zeros.
Status resize(Operation& operation, InodeRow& file, uint64_t size);
// [from, to) reads as zeros from now on; the size stays. Requires from < to.
Status trim(Operation& operation, InodeRow& file, uint64_t from, uint64_t to);

}  // namespace cairn::ops
