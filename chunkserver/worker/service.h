// What is asked of a worker: the results that it keeps. Generated types end here.
#pragma once

#include <memory>

#include "TaskWorker.h"
#include "chunkserver/worker/spool.h"
#include "common/rpc/rpc_server.h"
#include "common/rpc/wire.h"

namespace cairn {

// Requests are small, replies a piece of a partial; who merges takes one result after the other.
inline constexpr RpcServer::Limits kWorkerRpcLimits{.connections = 64, .frame_bytes = kMaxPartialPiece + (64u << 10)};

// The spool outlives what is made.
RpcServer::ProcessorFactory worker_processors(Spool& spool);

}  // namespace cairn
