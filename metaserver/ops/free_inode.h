// The end of an inode, and of the data of one that goes on.
#pragma once

#include "metaserver/ops/operation.h"

namespace cairn::ops {

// A map of more extents is given back in steps (ReleaseExtents), so that no command works for long.
inline constexpr uint64_t kFreeAtOnce = 64;

// Erases an inode without names and all that it has.
Status free_inode(Operation& operation, InodeRow& inode);
// Erases the whole data: extents and inline content. The size stays.
Status drop_data(Operation& operation, InodeRow& inode);
void drop_content(Operation& operation, InodeRow& inode);  // the inline content alone
// Frees an orphan that is pinned to the session; nothing if it is not.
Status free_orphan(Operation& operation, SessionId session, InodeId inode);

}  // namespace cairn::ops
