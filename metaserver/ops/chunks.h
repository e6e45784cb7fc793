// What the operations on chunks share.
#pragma once

#include "metaserver/ops/operation.h"

namespace cairn::ops {

// Fixes the chunk's committed length: no commit comes after that. Its servers must be told (pending_seal). Sealing
// twice is one seal.
Status seal(Operation& operation, ChunkRow chunk);
// Seals every open chunk of the session.
Status seal_all_of(Operation& operation, SessionId session);

}  // namespace cairn::ops
