// Which inodes a change is about: those whose leases must be given back before it, and those that its answer names.
//
// Names are resolved in the view, so another change may still come between: what the answer names decides. Pure.
#pragma once

#include <vector>

#include "metaserver/state/command.h"
#include "metaserver/store/ordered_store.h"

namespace cairn {

std::vector<InodeId> affected_inodes(const StoreView& view, const CommandBody& body);
std::vector<InodeId> answered_inodes(const Answer& answer);
// The inode that lost its last name by the change; 0: none.
InodeId orphan_of(const Answer& answer);

}  // namespace cairn
