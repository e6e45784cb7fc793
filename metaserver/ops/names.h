// What the operations on names share: dentries, and an inode's gain and loss of them.
#pragma once

#include "metaserver/ops/operation.h"

namespace cairn::ops {

// name_too_long, not_found for an empty name, invalid for "." and "..", a slash or a NUL.
Status check_name(std::string_view name);

Result<std::optional<DentryRow>> find_dentry(Operation& operation, InodeId parent, std::string_view name);
// The dentry and what it names. not_found.
struct Named {
  DentryRow dentry;
  InodeRow* inode = nullptr;
};
Result<Named> resolve(Operation& operation, InodeId parent, std::string_view name);

// Writes both rows of a name, at the cookie. Counts and times of the directory are the caller's.
void put_dentry(Operation& operation, InodeId parent, std::string_view name, InodeId inode, uint64_t cookie);
void erase_dentry(Operation& operation, InodeId parent, std::string_view name, uint64_t cookie);

// A new name at the end of the directory, which grows by one entry and, for a directory, by one link. Returns the
// cookie.
uint64_t enter(Operation& operation, InodeRow& parent, std::string_view name, const InodeRow& inode);
// The reverse.
void leave(Operation& operation, InodeRow& parent, std::string_view name, const Named& named);

// The inode loses one name. Without any left it is an orphan: pinned to the session, or freed at once if the metaserver
// itself asked.
Status lose_name(Operation& operation, InodeRow& inode);

}  // namespace cairn::ops
