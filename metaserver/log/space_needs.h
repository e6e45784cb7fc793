// Which changes are refused when the metadata's disk is nearly full, and which must still go through because they free
// space, end something, or belong to the metaserver itself. Pure.
#pragma once

#include "metaserver/state/command.h"

namespace cairn {

// True: it adds to the metadata for long, and its client can be told ENOSPC.
bool needs_space(const Command& command);

}  // namespace cairn
